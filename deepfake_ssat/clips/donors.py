"""Whose face another one can be swapped for: another person's, of the same material and in a similar pose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.landmarks import read_landmarks
from deepfake_ssat.records import ManifestRow

NEAREST = 12
"""One of so many of the most similar faces is drawn, at least."""
SHARE = 0.05
"""One of this part of all faces where that is more."""


class Donors:
    """The genuine rows of one split as each other's donors; reads all their landmarks once.

    Raises ManifestError where landmarks were not stored.
    """

    def __init__(self, root: Path, rows: Sequence[ManifestRow]) -> None:
        self._poses = np.stack([pose(read_landmarks(root / row.clip_file).mean(axis=0)) for row in rows])
        names = [_people(row) for row in rows]
        numbers = {name: number for number, name in enumerate(sorted(set().union(*names)))}
        self._people = [frozenset(numbers[name] for name in people) for people in names]
        self._is_still = np.array([row.num_frames == 1 for row in rows])
        self._rows_of: dict[int, list[int]] = {}
        for position, people in enumerate(self._people):
            for number in people:
                self._rows_of.setdefault(number, []).append(position)

    def draw(self, position: int, generator: np.random.Generator) -> int | None:
        """The position of a donor for the row at ``position``; None where there is nobody else.

        A photo's face would stand still on a video: photos go with photos, videos with videos.
        """
        others = self._is_still == self._is_still[position]
        for number in self._people[position]:
            others[self._rows_of[number]] = False
        candidates = np.flatnonzero(others)
        if not len(candidates):
            return None
        distances = ((self._poses[candidates] - self._poses[position]) ** 2).sum(axis=1)
        count = min(max(NEAREST, round(SHARE * len(candidates))), len(candidates))
        nearest = candidates[np.argsort(distances, kind="stable")[:count]]
        return int(generator.choice(nearest))


def pose(landmarks: np.ndarray) -> np.ndarray:
    """(5, 2) landmarks -> (10,): without place, size and rotation in the picture, which alignment undoes."""
    centered = landmarks - landmarks.mean(axis=0)
    axis = centered[1] - centered[0] + centered[4] - centered[3]
    cosine, sine = axis / max(float(np.hypot(*axis)), 1e-6)
    turned = centered @ np.array([[cosine, -sine], [sine, cosine]])
    return (turned / max(float(np.sqrt((turned**2).mean())), 1e-6)).ravel()


def _people(row: ManifestRow) -> set[str]:
    """Everyone who may be in the row, and its group and video, by names that differ between corpora."""
    return {f"{row.corpus}/{name}" for name in (*row.identities, row.group, row.video_id) if name}
