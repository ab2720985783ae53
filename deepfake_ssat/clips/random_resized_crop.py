"""Random resized crop (Szegedy et al. 2015; table 14): a part of the frame, enlarged to the frame's size."""

from __future__ import annotations

import math

import cv2
import numpy as np

_ASPECT = (3 / 4, 4 / 3)
"""Width by height of the part, as in table 14."""
_ATTEMPTS = 10


class RandomResizedCrop:
    """Cuts the same part out of every frame of a clip; ``scale`` is the range of its share of the area."""

    def __init__(self, scale: tuple[float, float]) -> None:
        self._scale = scale

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same shape; the whole frame where no drawn part fits into it."""
        height, width = pixels.shape[1:3]
        part = self._draw(height, width, generator)
        if part is None:
            return pixels
        top, left, rows, columns = part
        resized = np.empty_like(pixels)
        for source, target in zip(pixels, resized, strict=True):
            cut = np.ascontiguousarray(source[top : top + rows, left : left + columns])
            enlarged = cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC)
            target[:] = enlarged.reshape(target.shape)
        return resized

    def _draw(
        self, height: int, width: int, generator: np.random.Generator
    ) -> tuple[int, int, int, int] | None:
        """(top, left, rows, columns): area uniform in the scale, aspect uniform in its logarithm."""
        for _ in range(_ATTEMPTS):
            area = generator.uniform(*self._scale) * height * width
            aspect = math.exp(generator.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
            rows, columns = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if 0 < rows <= height and 0 < columns <= width:
                top, left = generator.integers(height - rows + 1), generator.integers(width - columns + 1)
                return int(top), int(left), rows, columns
        return None
