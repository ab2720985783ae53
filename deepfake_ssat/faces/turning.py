"""Which way up a video is that shows no face as it stands: some are stored turned, without a tag."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepfake_ssat.records import FaceDetection

TURNS = (180, 90, 270)
"""Degrees, clockwise; of equally good ones the first is taken."""
MOST_PICTURES = 16
"""Kept of a whole video, evenly spread."""
MIN_PICTURES = 2
"""With a face, of at least half of those kept: single false faces must not turn a video."""


class TurnFinder:
    """Collects searched pictures without a face; afterwards, tries them the other three ways."""

    def __init__(
        self, detect: Callable[[np.ndarray], list[FaceDetection]], at_least: int = MIN_PICTURES
    ) -> None:
        """``detect`` finds the faces in one picture that are good enough to be used."""
        self._at_least = at_least
        self._detect = detect
        self._pictures: list[np.ndarray] = []
        self._count = 0
        self._every = 1

    def note(self, picture: np.ndarray) -> None:
        """A picture (H, W, 3) in which there is no face."""
        if self._count % self._every == 0:
            self._pictures.append(picture)
        self._count += 1
        if len(self._pictures) == MOST_PICTURES:
            self._pictures = self._pictures[::2]
            self._every *= 2

    def find(self) -> int:
        """By how many degrees clockwise the pictures must be turned to show faces; 0 for not at all."""
        needed = max(self._at_least, len(self._pictures) / 2)
        confidences = {turn: self._confidences(turn) for turn in TURNS}
        best = max(TURNS, key=lambda turn: sum(confidences[turn]))
        return best if len(confidences[best]) >= needed else 0

    def _confidences(self, turn: int) -> list[float]:
        """Of the surest face in each turned picture that has one."""
        turned = (np.ascontiguousarray(np.rot90(picture, -turn // 90)) for picture in self._pictures)
        found = (self._detect(picture) for picture in turned)
        return [max(face.confidence for face in faces) for faces in found if faces]
