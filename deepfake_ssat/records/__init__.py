"""The records that the layers hand to each other: frozen, numpy only, nothing but checks and names."""

from deepfake_ssat.records.record import (
    FAKE,
    REAL,
    SPLITS,
    Box,
    Record,
    Status,
    Verdict,
    Word,
    longer_side,
    mean_box,
)
from deepfake_ssat.records.reports import (
    Estimate,
    EvalGroup,
    EvalReport,
)
from deepfake_ssat.records.verdicts import (
    ClipScore,
    EvaluatedVideo,
    FaceVerdict,
    VideoVerdict,
    counting_faces,
)
from deepfake_ssat.records.videos import (
    DroppedVideo,
    FaceClip,
    FaceDetection,
    FileFacts,
    ManifestRow,
    SourceVideo,
    VideoMetadata,
)

__all__ = [
    "FAKE",
    "REAL",
    "SPLITS",
    "Box",
    "ClipScore",
    "DroppedVideo",
    "Estimate",
    "EvalGroup",
    "EvalReport",
    "EvaluatedVideo",
    "FaceClip",
    "FaceDetection",
    "FaceVerdict",
    "FileFacts",
    "ManifestRow",
    "Record",
    "SourceVideo",
    "Status",
    "Verdict",
    "VideoMetadata",
    "VideoVerdict",
    "Word",
    "counting_faces",
    "longer_side",
    "mean_box",
]
