"""Turns a stored genuine clip into its pseudo-fake: finds a donor, draws, and takes another clip if it must.

T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.donors import Donors
from deepfake_ssat.clips.landmarks import read_landmarks
from deepfake_ssat.clips.pseudo_fakes import pseudo_fake_pair
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.clips.stills import still_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.config import PseudoFakes
from deepfake_ssat.records import ManifestRow

DRAWS = 3
"""Tries on one clip: with a face in profile most manipulations may show nothing."""


@dataclass(frozen=True)
class FaceFrames:
    """Consecutive frames of one face."""

    pixels: np.ndarray
    """(T, H, W, 3) uint8."""
    landmarks: np.ndarray
    """(T, 5, 2) in pixels."""

    def resized(self, size: int) -> FaceFrames:
        """The same at (T, size, size, 3)."""
        height, width = self.pixels.shape[1:3]
        # The centre of pixel 0 is 0.
        scale = np.array([size / width, size / height])
        return FaceFrames(resize_clip(self.pixels, size), (self.landmarks + 0.5) * scale - 0.5)


def read_face(
    root: Path, row: ManifestRow, start: int, frames: int, camera: np.random.Generator
) -> FaceFrames:
    """Stored frames from ``start`` on; a still picture is shown moving, by draws from ``camera``."""
    path = root / row.clip_file
    shown = range(start, start + frames) if row.num_frames > 1 else range(1)
    pixels, landmarks = read_frames(path, shown), read_landmarks(path, shown)
    if len(shown) < frames:
        pixels, landmarks = still_clip(pixels[0], landmarks[0], frames, camera)
    return FaceFrames(pixels, landmarks)


class Forger:
    """Makes pseudo-fakes of the genuine rows of one split, each other's donors."""

    def __init__(
        self, root: Path, rows: Sequence[ManifestRow], frames: int, settings: PseudoFakes, size: int | None
    ) -> None:
        """``rows``: the genuine ones. ``size``: faces are brought to it first; None leaves them as stored."""
        self._root = root
        self._rows = tuple(rows)
        self._frames = frames
        self._settings = settings
        weights = settings.weights()
        self._swap_part = weights["swap"] / sum(weights.values())
        self._swap_only = settings.model_copy(update={kind: 0.0 for kind in weights if kind != "swap"})
        self._no_swap = settings.model_copy(update={"swap": 0.0})
        self._size = size
        self._donors = Donors(root, rows)

    def forge(self, face: FaceFrames, position: int, generator: np.random.Generator) -> np.ndarray | None:
        """The face of the row at ``position``, (T, H, W, 3) manipulated; None where nothing would show."""
        face = self._at_size(face)
        for _ in range(DRAWS):
            settings, donor = self._no_swap, None
            # Decided here, since reading a donor takes time and few fakes need one.
            if generator.random() < self._swap_part:
                donor = self._read_donor(position, generator)
                settings = self._settings if donor is None else self._swap_only
            pair = pseudo_fake_pair(face.pixels, face.landmarks, generator, settings, donor)
            if pair is not None:
                return pair.fake
        return None

    def _read_donor(
        self, position: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Frames and landmarks of another person; None where there is nobody else."""
        chosen = self._donors.draw(position, generator)
        if chosen is None:
            return None
        row = self._rows[chosen]
        start = int(generator.integers(max(row.num_frames - self._frames, 0) + 1))
        donor = self._at_size(read_face(self._root, row, start, self._frames, generator))
        return donor.pixels, donor.landmarks

    def _at_size(self, face: FaceFrames) -> FaceFrames:
        return face if self._size is None else face.resized(self._size)
