"""Another framing of the face: a part of the crop, now and then stretched or turned a little.

T frames, H W pixels, C channels.
"""

from __future__ import annotations

import cv2
import numpy as np

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.config import Framing

STRETCHED, TURNED = 0.6, 0.3
"""Probabilities."""


class RandomFraming:
    """Cuts the same part out of every frame of a clip, and brings it to ``size`` x ``size``."""

    def __init__(self, settings: Framing, size: int) -> None:
        self._settings = settings
        self._size = size

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, C) uint8 of any size -> (T, size, size, C); beyond the border the frame is mirrored."""
        frames, height, width, channels = pixels.shape
        matrix, side = self._draw(height, width, generator)
        framed = np.empty((frames, side, side, channels), dtype=pixels.dtype)
        for source, target in zip(pixels, framed, strict=True):
            warped = cv2.warpAffine(
                source,
                matrix,
                (side, side),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            target[:] = warped.reshape(target.shape)
        return resize_clip(framed, self._size)

    def _draw(self, height: int, width: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
        """(2, 3) from framed to stored pixels, and the side that keeps the longer one's resolution."""
        settings, whole = self._settings, np.array([width, height], dtype=float)
        sides = whole * generator.uniform(*settings.part)
        if generator.random() < STRETCHED:
            # A face that is cut narrower or lower, and made square, is wider or higher.
            sides[generator.integers(2)] *= generator.uniform(settings.stretch, 1.0)
        center = whole / 2 + generator.uniform(-1.0, 1.0, 2) * (whole - sides) / 2
        turn = np.deg2rad(generator.normal(0.0, settings.turn_degrees))
        angle = turn if generator.random() < TURNED else 0.0
        # No shrinking here: a warp averages no areas.
        side = max(round(float(sides.max())), self._size)
        across = np.array([np.cos(angle), np.sin(angle)]) * sides[0] / side
        down = np.array([-np.sin(angle), np.cos(angle)]) * sides[1] / side
        # The centre of pixel 0 is 0.
        corner = center - (across + down) * (side - 1) / 2 - 0.5
        return np.stack([across, down, corner], axis=1), side
