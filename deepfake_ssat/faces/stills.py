"""A single picture on the path of videos: one frame to look for faces in, shown for as long as a clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.records import FaceClip


def of_one_frame(settings: ExtractionSettings) -> ExtractionSettings:
    """The same crops of a still picture, whose clip has one frame whatever the contract says."""
    return settings.model_copy(update={"frames": 1, "frame_stride": 1})


def held(clip: FaceClip, frames: int) -> FaceClip:
    """A clip of one frame as a clip of so many, all of them that frame."""
    arrays = ("pixels", "frame_indices", "seconds", "boxes", "landmarks")
    return replace(clip, **{name: np.repeat(getattr(clip, name), frames, axis=0) for name in arrays})
