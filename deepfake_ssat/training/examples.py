"""What an experiment trains on and validates with."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_ssat.clips.aligned import AlignedPairs
from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.clips.mixture import JoinedClips, MixedClips
from deepfake_ssat.config import ExtractionSettings

TrainingSet = FaceClipDataset | AlignedPairs | MixedClips | ImageDataset
ValidationSet = FaceClipDataset | JoinedClips | ImageDataset


@dataclass(frozen=True)
class Examples:
    """The data sets of an experiment, and what a checkpoint says of them."""

    train: TrainingSet
    val: ValidationSet
    contract: ExtractionSettings | None = None
    """How the face clips are shown; None for other pictures."""
    manifest_hash: str | None = None
    seen: dict[str, list[str]] | None = None
    """By split, whose faces these are, as ``manifest.people`` names them; None for other pictures."""
    notes: tuple[str, ...] = ()
    """What the log of a training says of them."""
