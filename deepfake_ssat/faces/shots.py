"""Notices cuts: a frame that shares next to nothing with the one before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

THUMBNAIL_SIDE = 32
SUSPICIOUS, CUT = 12.0, 20.0
"""Mean differences in grey levels of 255: between searched frames worth a look; between neighbours a cut."""
PROMINENCE = 3.0
"""A cut stands out by this factor over the other changes around it; fast motion does not."""


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (32, 32, 3) float32: all that a comparison needs."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two thumbnails, in grey levels."""
    return float(np.abs(a - b).mean())


def find_cuts(thumbnails: Sequence[np.ndarray]) -> list[int]:
    """Thumbnails of consecutive frames -> positions of frames that begin a new shot."""
    steps = [difference(a, b) for a, b in pairwise(thumbnails)]
    cuts = []
    for position, step in enumerate(steps):
        others = steps[:position] + steps[position + 1 :]
        usual = float(np.median(others)) if others else 0.0
        if step > CUT and step > PROMINENCE * usual:
            cuts.append(position + 1)
    return cuts
