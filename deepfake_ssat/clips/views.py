"""Two augmented views of one clip, for the tasks that compare them (SimCLR, DINO).

T frames, H W pixels, C channels.
"""

from __future__ import annotations

import random
from functools import partial

import albumentations as A
import numpy as np
import torch
from torch import Tensor

from deepfake_ssat.clips.augment import on_rgb
from deepfake_ssat.clips.flip import random_flip
from deepfake_ssat.clips.random_resized_crop import RandomResizedCrop
from deepfake_ssat.config import Views

COLOUR_PROBABILITY = 0.8
"""Of SimCLR, BYOL and DINO alike."""
SIGMA = (0.1, 2.0)
"""Of the blur, in pixels."""


class TwoViews:
    """(T, H, W, C) uint8 of any size -> (2, T, size, size, C); each view has one set of parameters."""

    def __init__(self, settings: Views, image_size: int) -> None:
        self._crop = RandomResizedCrop(settings.crop, image_size)
        self._colours = [
            partial(on_rgb, _Composed(_colour_steps(settings, blur, solarise)))
            for blur, solarise in zip(settings.blur, settings.solarise, strict=True)
        ]

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Every draw comes from the generator."""
        views = [
            colour(random_flip(self._crop(pixels, generator), generator), generator)
            for colour in self._colours
        ]
        return torch.from_numpy(np.stack(views))


class _Composed:
    """Steps of Albumentations on (T, H, W, 3) uint8, with one set of parameters for all frames."""

    def __init__(self, steps: list[A.BasicTransform | A.BaseCompose]) -> None:
        self._compose = A.Compose(steps)

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        self._compose.set_random_state(generator, random.Random(int(generator.integers(2**63))))
        return self._compose(images=pixels)["images"]


def _colour_steps(settings: Views, blur: float, solarise: float) -> list[A.BasicTransform | A.BaseCompose]:
    brightness, contrast, saturation, hue = settings.colour
    return [
        A.ColorJitter(
            brightness=(1 - brightness, 1 + brightness),
            contrast=(1 - contrast, 1 + contrast),
            saturation=(1 - saturation, 1 + saturation),
            hue=(-hue, hue),
            p=COLOUR_PROBABILITY,
        ),
        A.ToGray(p=settings.grey),
        A.GaussianBlur(blur_limit=0, sigma_limit=SIGMA, p=blur),
        A.Solarize(threshold_range=(0.5, 0.5), p=solarise),
    ]
