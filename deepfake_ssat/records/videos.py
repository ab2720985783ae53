"""Videos of corpora, what is read of them, and the rows of what is stored.

T frames, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.records.record import Box, Record, Status


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
class VideoMetadata(Record):
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
    is_still: bool = False
    """A single picture: its rate means nothing."""
    encoder: str = ""
    """The program that wrote the file, by the container's own word; empty where it does not say."""
    created: str = ""
    """When, by the container's own word: cameras, editors and uploads set it as they like."""


@dataclass(frozen=True)
class FileFacts(Record):
    """What identifies a judged file."""

    size_bytes: int
    sha256: str
    modified: str | None
    """ISO 8601 in UTC, by the file system; None where that date would be a copy's, or is in no calendar."""


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


@dataclass(frozen=True, slots=True)
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
class DroppedVideo(Record):
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
