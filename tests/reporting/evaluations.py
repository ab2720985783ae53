"""Makes evaluation reports out of drawn scores for the reporting tests."""

from __future__ import annotations

import numpy as np

from deepfake_ssat.evaluation.groups import measure_groups
from deepfake_ssat.records import (
    FAKE,
    REAL,
    ClipScore,
    DroppedVideo,
    EvalReport,
    EvaluatedVideo,
    FaceVerdict,
    Status,
    VideoVerdict,
)

PROVENANCE = {
    "command": "deepfake-ssat evaluate best.safetensors clips --out out",
    "training": {"command": "deepfake-ssat train configs/video_ssat.yaml", "config_sha256": "fedc" * 16},
    "checkpoint": {"path": "best.safetensors", "sha256": "ab12cd34" * 8},
    "manifest": {"path": "clips", "sha256": "0123456789abcdef" * 4},
    "selection": {"splits": ["test"]},
    "scoring": {
        "rule": "all non-overlapping segments of 16 stored frames",
        "aggregation": "mean over a face's clips, max over a video's faces",
    },
}


def scored_video(
    name: str,
    label: int | None,
    scores: list[float],
    manipulation: str = "",
    compression: str = "c23",
    corpus: str = "ffpp",
) -> EvaluatedVideo:
    """One video of one face with the given clip scores."""
    clips = tuple(ClipScore(0, n * 0.64, n * 0.64 + 0.6, score) for n, score in enumerate(scores))
    mean = float(np.mean(scores))
    return EvaluatedVideo(
        corpus=corpus,
        video_id=f"{name}/{compression}",
        label=label,
        manipulation=manipulation or ("Deepfakes" if label == FAKE else "original"),
        split="test",
        compression=compression,
        people=(f"{corpus}/{name}",),
        verdict=VideoVerdict(
            path=f"{name}.mp4",
            status=Status.SCORED,
            probability=mean,
            faces=(FaceVerdict(0, 0.0, clips[-1].end_seconds, (10, 10, 90, 90), mean, len(clips)),),
            clips=clips,
        ),
    )


def drawn_videos(
    per_kind: int = 20,
    compressions: tuple[str, ...] = ("c23",),
    manipulations: tuple[str, ...] = ("Deepfakes", "NeuralTextures"),
    seed: int = 0,
) -> list[EvaluatedVideo]:
    """Overlapping scores, three clips a video."""
    generator = np.random.default_rng(seed)
    return [
        scored_video(
            f"{kind}{number}",
            REAL if kind == "original" else FAKE,
            np.clip(generator.normal(mean, 0.15, 3), 0, 1).tolist(),
            kind,
            compression,
        )
        for compression in compressions
        for kind, mean in zip(("original", *manipulations), (0.4, 0.65, 0.5), strict=False)
        for number in range(per_kind)
    ]


def make_report(
    videos: list[EvaluatedVideo],
    threshold: float | None = 0.47,
    dropped: tuple[DroppedVideo, ...] = (),
    warnings: tuple[str, ...] = (),
) -> EvalReport:
    """The report of these videos."""
    source = "there are no validation videos" if threshold is None else "stored in the checkpoint"
    groups = tuple(measure_groups(videos, threshold, seed=0))
    return EvalReport(PROVENANCE, "clip", threshold, source, groups, tuple(videos), dropped, warnings)


DROPPED = DroppedVideo(
    "ffpp",
    "Face2Face/c23/001_870",
    "001_870.mp4",
    "test",
    FAKE,
    "Face2Face",
    Status.NO_FACE,
    "no face at all",
)
