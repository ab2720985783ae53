"""What stands behind a verdict, as arrays that a report draws and a notebook can read.

T frames, H W pixels; a heat map has (t, h, w) cells: one value per token of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfake_ssat.records import Box, ClipScore, VideoVerdict

EXPLAINED_CLIPS = 4
"""How many clips an explanation shows unless asked otherwise."""


@dataclass(frozen=True)
class ClipExplanation:
    """One analysed clip, with where the classifier looked and what the decoder failed to predict."""

    score: ClipScore
    frame_indices: np.ndarray
    """(T,) int: true indices in the video."""
    seconds: np.ndarray
    """(T,) float."""
    pixels: np.ndarray
    """(T, H, W, 3) uint8: the face crops that the model read."""
    evidence: np.ndarray
    """(t, h, w) float32 >= 0: Grad-CAM of the fake class, logit per cell."""
    reconstruction_error: np.ndarray | None
    """(t, h, w) float32: root mean squared error in [0, 1] of each cell, hidden in two passes or more;
    None for a model without a decoder."""


@dataclass(frozen=True)
class FaceMoment:
    """One face in the middle frame of one clip."""

    frame_index: int
    """True index in the video."""
    seconds: float
    pixels: np.ndarray
    """(H, W, 3) uint8: the crop as it was cut."""
    probability: float
    """Of the clip."""


@dataclass(frozen=True)
class FaceMoments:
    """What a face looked like over its time."""

    spread: tuple[FaceMoment, ...]
    """A few, evenly spread over its clips, the first among them."""
    highest: FaceMoment
    """Of the clip that looks most like a fake."""
    lowest: FaceMoment


@dataclass(frozen=True)
class Explanation:
    """A verdict and the clips that weigh most in it."""

    verdict: VideoVerdict
    clips: tuple[ClipExplanation, ...]
    """Those of the deciding face first; among them and among the others the most suspicious first."""
    faces: dict[int, FaceMoments]
    """By track."""
    marks: dict[int, tuple[FrameMark, ...]]
    """By true frame index: every face that was found there."""
    searched: tuple[tuple[int, int], ...] = ()
    """True indices of the first and last frame of each stretch that was looked at."""
    notes: tuple[str, ...] = ()
    """What could not be shown, and why."""

    def __repr__(self) -> str:
        return f"Explanation({self.verdict!r}, {len(self.clips)} clips explained)"

    @property
    def thumbnails(self) -> dict[int, np.ndarray]:
        """By track, one face crop (H, W, 3) uint8."""
        return {track: face.spread[0].pixels for track, face in self.faces.items()}


@dataclass(frozen=True)
class FrameMark:
    """One face in one frame that was looked at, with the score of the clip it belongs to."""

    track_id: int
    box: Box
    probability: float | None
    """None where no clip holds it: the face was in sight for too short."""
