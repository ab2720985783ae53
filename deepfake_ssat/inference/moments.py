"""Keeps what a face looked like over its time while its clips stream by: a few crops, whatever the length."""

from __future__ import annotations

from deepfake_ssat.inference.explanation import FaceMoment, FaceMoments
from deepfake_ssat.records import ClipScore, FaceClip

MOST_SPREAD = 8
"""Crops kept of one face's time; with so many, every second one goes."""


class MomentKeeper:
    """Of one track."""

    def __init__(self) -> None:
        self._spread: list[FaceMoment] = []
        self._every, self._count = 1, 0
        self._highest: FaceMoment | None = None
        self._lowest: FaceMoment | None = None

    def add(self, clip: FaceClip, score: ClipScore) -> None:
        """One more clip of this track."""
        middle = len(clip.pixels) // 2
        moment = FaceMoment(
            frame_index=int(clip.frame_indices[middle]),
            seconds=float(clip.seconds[middle]),
            pixels=clip.pixels[middle].copy(),
            probability=score.probability,
        )
        if self._highest is None or moment.probability > self._highest.probability:
            self._highest = moment
        if self._lowest is None or moment.probability < self._lowest.probability:
            self._lowest = moment
        if self._count % self._every == 0:
            self._spread.append(moment)
        self._count += 1
        if len(self._spread) > MOST_SPREAD:
            self._spread = self._spread[::2]
            self._every *= 2

    def moments(self) -> FaceMoments:
        """What was kept; at least one clip was added."""
        assert self._highest is not None
        assert self._lowest is not None
        return FaceMoments(tuple(self._spread), self._highest, self._lowest)
