"""The records that the layers hand to each other: frozen, numpy only, no behaviour beyond checks and names.

T frames, H W pixels. Boxes are (x0, y0, x1, y1) in pixels of the displayed (rotated) frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]

REAL, FAKE = 0, 1
SPLITS = ("train", "val", "test")


class Word(str, Enum):
    """A choice that prints as its word."""

    def __str__(self) -> str:
        return self.value


class Status(Word):
    """What became of one video; only a scored video has a probability."""

    SCORED = "scored"
    NO_FACE = "no_face"
    TOO_SHORT = "too_short"
    UNREADABLE = "unreadable"


class Verdict(Word):
    """What a probability means, by the checkpoint's threshold and uncertain band."""

    REAL = "real"
    FAKE = "fake"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class SourceVideo:
    """One video of a corpus, as its index lists it."""

    path: Path
    """Where the file lies."""
    video_id: str
    """Unique within the corpus: method, compression and name, such as ``Deepfakes/c23/519_515``."""
    label: int | None
    """0 real, 1 fake, None unlabelled."""
    corpus: str
    """Such as ``ffpp``."""
    manipulation: str
    """The method that made a fake, such as ``Deepfakes``; ``original`` for genuine videos."""
    split: str
    """``train``, ``val`` or ``test``."""
    identities: tuple[str, ...] = ()
    """Everyone whose face may appear: target and source."""
    group: str = ""
    """What must never straddle two splits."""
    compression: str = ""
    """Such as ``c23``; empty where the corpus has one version only."""
    mask_path: Path | None = None
    """A mask video that tells which face was changed, where the corpus has one."""
    original_path: Path | None = None
    """The genuine video that a fake was made from, frame for frame, where the corpus has it."""
    original_id: str = ""
    """That video's ``video_id`` in the same corpus, whether this copy has it or not; empty: not known."""
    is_aligned: bool = True
    """Whether the fake shows its original's frames pixel for pixel, but for what was changed."""


@dataclass(frozen=True)
class VideoMetadata:
    """What is known of a video before it is decoded; frames and duration are as its packets say."""

    fps: float
    num_frames: int | None
    width: int
    """Of the displayed frame, after rotation."""
    height: int
    rotation: int
    """Degrees, clockwise, already applied to the frames: 0, 90, 180 or 270."""
    codec: str
    duration_seconds: float | None
    untagged_turn: int = 0
    """Degrees of the rotation that no tag of the file asks for: faces were found only so."""


@dataclass(frozen=True)
class FaceDetection:
    """One face in one frame."""

    box: Box
    landmarks: np.ndarray
    """(5, 2): left eye, right eye, nose, left and right mouth corner, as seen in the picture."""
    confidence: float


@dataclass(frozen=True)
class FaceClip:
    """Crops of one face over consecutive sampled frames."""

    pixels: np.ndarray
    """(T, H, W, 3) uint8, RGB."""
    frame_indices: np.ndarray
    """(T,) int: true indices in the video."""
    seconds: np.ndarray
    """(T,) float: presentation times of the frames."""
    track_id: int
    boxes: np.ndarray
    """(T, 4) float: the face boxes (not the crop's) in the frame."""
    landmarks: np.ndarray
    """(T, 5, 2) float: in pixels of the crop."""


@dataclass(frozen=True)
class ManifestRow:
    """One clip file: consecutive crops of one face, any number of 16-frame clips long."""

    corpus: str
    video_id: str
    label: int | None
    manipulation: str
    split: str
    identities: tuple[str, ...]
    group: str
    compression: str
    source: str
    """The video file, relative to the corpus root."""
    clip_file: str
    """Relative to the manifest's folder."""
    track_id: int
    first_frame: int
    """True index in the video of the first stored frame."""
    frame_stride: int
    """Stored frame k is the video's frame ``first_frame + k * frame_stride``; a gap starts another file."""
    num_frames: int
    start_seconds: float
    end_seconds: float
    box: Box
    """The mean face box."""
    face_size: float
    """The longer side of the mean face box, in source pixels."""
    contract_hash: str
    """Of the extraction contract the crops were made under."""
    original: str = ""
    """The ``video_id`` of the genuine video that a fake was made from, where its corpus tells."""
    is_aligned: bool = False
    """Whether the fake shows that video's frames pixel for pixel, but for what was changed."""


@dataclass(frozen=True)
class DroppedVideo:
    """A video that gave no clip, and why."""

    corpus: str
    video_id: str
    source: str
    split: str
    label: int | None
    manipulation: str
    reason: Status
    detail: str
    compression: str = ""
    """Such as ``c23``; empty where the corpus has one version only."""


@dataclass(frozen=True)
class ClipScore:
    """The model's answer on one clip."""

    track_id: int
    start_seconds: float
    end_seconds: float
    probability: float
    """Of fake, in [0, 1]."""


@dataclass(frozen=True)
class FaceVerdict:
    """One face of one video."""

    track_id: int
    start_seconds: float
    end_seconds: float
    box: Box
    """The mean over the analysed frames."""
    probability: float
    num_clips: int


@dataclass(frozen=True)
class VideoVerdict:
    """What is found of one video, from detector to page; the probability is None unless it was scored."""

    path: str
    status: Status
    probability: float | None = None
    """Of fake, in [0, 1]."""
    verdict: Verdict | None = None
    """None for an unscored video, and where scores were put together in a way that no threshold is for."""
    faces: tuple[FaceVerdict, ...] = ()
    clips: tuple[ClipScore, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: VideoMetadata | None = field(default=None)

    def __post_init__(self) -> None:
        if (self.probability is None) == (self.status is Status.SCORED):
            raise ValueError(f"status {self.status.value} with probability {self.probability}")


@dataclass(frozen=True)
class EvaluatedVideo:
    """What a manifest says of a video, and the verdict on all its stored clips."""

    corpus: str
    video_id: str
    label: int | None
    manipulation: str
    split: str
    compression: str
    people: tuple[str, ...]
    """Its identities and its group, as ``manifest.people`` names them."""
    verdict: VideoVerdict
    """Scored; its path is relative to the corpus root."""

    def __post_init__(self) -> None:
        if self.verdict.probability is None:
            raise ValueError(f"{self.name} was not scored: {self.verdict.status.value}")

    @property
    def name(self) -> str:
        """``corpus/video_id``, which no other video has."""
        return f"{self.corpus}/{self.video_id}"

    @property
    def probability(self) -> float:
        """The verdict's."""
        assert self.verdict.probability is not None
        return self.verdict.probability

    @property
    def clips(self) -> tuple[ClipScore, ...]:
        """The verdict's."""
        return self.verdict.clips


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval; what is missing is None, and the note says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class EvalGroup:
    """Metrics over some of the videos: all, those of a corpus and compression, or one manipulation's."""

    corpus: str
    """Empty: all; so are compression and manipulation."""
    compression: str
    manipulation: str
    """The fakes' method; they stand against all genuine videos of that corpus and compression."""
    num_real: int
    num_fake: int
    num_clips: int
    video: dict[str, Estimate]
    """By metric, over videos."""
    clip: dict[str, Estimate]
    """By metric, over single clips (or frames), each with its video's label."""


@dataclass(frozen=True)
class EvalReport:
    """What ``evaluate`` found, and everything needed to find it again."""

    provenance: dict[str, Any]
    """JSON values: command, version, checkpoint, manifest, selection, rules; see docs/evaluate_report.md."""
    unit: str
    """What was scored: ``clip`` or ``frame``."""
    threshold: float | None
    """Chosen on validation videos."""
    threshold_source: str
    """Where it comes from, or why there is none."""
    groups: tuple[EvalGroup, ...]
    """All videos first."""
    videos: tuple[EvaluatedVideo, ...]
    dropped: tuple[DroppedVideo, ...]
    warnings: tuple[str, ...]
    reused: int = 0
    """Clips (or frames) that an interrupted run had scored before; no result depends on it."""
