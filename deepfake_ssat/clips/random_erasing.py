"""Random erasing (Zhong et al. 2017): one rectangle of noise, at the same place in every frame of a clip."""

from __future__ import annotations

import math

import numpy as np

_AREA = (0.02, 1 / 3)
"""Part of the frame that is erased, as in timm."""
_ASPECT = (0.3, 1 / 0.3)
_ATTEMPTS = 10
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class RandomErasing:
    """Erases with ``probability``; the noise is normal in ImageNet's normalised space (timm's mode pixel)."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same; a copy where something is erased."""
        if generator.random() >= self._probability:
            return pixels
        height, width, channels = pixels.shape[1:]
        for _ in range(_ATTEMPTS):
            area = generator.uniform(*_AREA) * height * width
            aspect = math.exp(generator.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
            rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < rows < height and 0 < columns < width:
                top, left = generator.integers(height - rows + 1), generator.integers(width - columns + 1)
                erased = pixels.copy()
                erased[:, top : top + rows, left : left + columns] = _noise(
                    (rows, columns, channels), generator
                )
                return erased
        return pixels


def _noise(shape: tuple[int, int, int], generator: np.random.Generator) -> np.ndarray:
    """(rows, columns, C) uint8 of noise with the mean and spread of natural pictures."""
    mean, std = np.array(_IMAGENET_MEAN), np.array(_IMAGENET_STD)
    if shape[-1] != len(mean):
        mean, std = mean.mean(), std.mean()
    return np.clip(np.rint((generator.standard_normal(shape) * std + mean) * 255), 0, 255).astype(np.uint8)
