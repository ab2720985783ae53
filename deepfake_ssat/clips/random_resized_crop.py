"""Random resized crop (Szegedy et al. 2015; table 14): a part of the frame, brought to the network's size."""

from __future__ import annotations

import math

import cv2
import numpy as np

_ASPECT = (3 / 4, 4 / 3)
"""Width by height of the part, as in table 14."""
_ATTEMPTS = 10


class RandomResizedCrop:
    """Cuts the same part out of every frame of a clip and resizes it, bicubic, to ``size`` x ``size``.

    ``scale`` is the range of the part's share of the whole area.
    """

    def __init__(self, scale: tuple[float, float], size: int) -> None:
        self._scale = scale
        self._size = size

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, C) uint8 of any size -> (T, size, size, C)."""
        frames, height, width, channels = pixels.shape
        top, left, rows, columns = self._draw(height, width, generator)
        resized = np.empty((frames, self._size, self._size, channels), dtype=pixels.dtype)
        for source, target in zip(pixels, resized, strict=True):
            cut = np.ascontiguousarray(source[top : top + rows, left : left + columns])
            changed = cv2.resize(cut, (self._size, self._size), interpolation=cv2.INTER_CUBIC)
            target[:] = changed.reshape(target.shape)
        return resized

    def _draw(self, height: int, width: int, generator: np.random.Generator) -> tuple[int, int, int, int]:
        """(top, left, rows, columns): area uniform in the scale, aspect uniform in its logarithm.

        Where no drawn part fits into the frame, the largest of an allowed aspect from its middle.
        """
        for _ in range(_ATTEMPTS):
            area = generator.uniform(*self._scale) * height * width
            aspect = math.exp(generator.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
            rows, columns = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if 0 < rows <= height and 0 < columns <= width:
                top, left = generator.integers(height - rows + 1), generator.integers(width - columns + 1)
                return int(top), int(left), rows, columns
        rows = min(height, round(width / _ASPECT[0]))
        columns = min(width, round(height * _ASPECT[1]))
        return (height - rows) // 2, (width - columns) // 2, rows, columns
