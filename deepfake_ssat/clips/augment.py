"""What is done to a training example, by name: none, flip, the DFDC winner's set, or RandAugment; and H.264.

An augmentation is a function of (T, H, W, C) uint8 pixels and a numpy generator that returns the same shape
and type, with the same parameters on all frames, and draws from that generator only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from torch import Tensor

from deepfake_ssat.clips.flip import random_flip
from deepfake_ssat.clips.random_erasing import RandomErasing
from deepfake_ssat.clips.random_resized_crop import RandomResizedCrop
from deepfake_ssat.config import Augmentation, Views
from deepfake_ssat.errors import ConfigError

ClipAugmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


MakeViews = Callable[[np.ndarray, np.random.Generator], Tensor]
"""(T, H, W, C) uint8 of any size -> (2, T, size, size, C): two augmented views."""


def build_augmentation(settings: Augmentation, image_size: int) -> ClipAugmentation | None:
    """The augmentation of the settings, without mixup (that works on batches); None where there is none.

    It expects clips of ``image_size``; with a random resized crop, of any size.
    """
    steps = AUGMENTATIONS[settings.name](image_size)
    if settings.h264 is not None:
        # Opened only where it is asked for: PyAV is not needed to train on pictures.
        from deepfake_ssat.clips.h264 import H264Compression

        steps.insert(0, partial(on_rgb, H264Compression(settings.h264)))
    if settings.random_resized_crop is not None:
        steps.insert(0, RandomResizedCrop(settings.random_resized_crop, image_size))
    if settings.random_erasing:
        steps.append(RandomErasing(settings.random_erasing))
    return partial(_apply_all, steps) if steps else None


def on_rgb(augmentation: ClipAugmentation, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Applies an augmentation of three channels to (T, H, W, 1 or 3) pixels; grey stays grey."""
    frames, height, width, channels = pixels.shape
    if channels == 3:
        return augmentation(pixels, generator)
    if channels != 1:
        raise ConfigError(
            f"augmentation of colours needs 1 or 3 channels, the pictures have {channels}; take name: flip"
        )
    coloured = augmentation(np.repeat(pixels, 3, axis=-1), generator)
    grey = cv2.cvtColor(coloured.reshape(frames * height, width, 3), cv2.COLOR_RGB2GRAY)
    return grey.reshape(pixels.shape)


def _apply_all(
    steps: Sequence[ClipAugmentation], pixels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    for step in steps:
        pixels = step(pixels, generator)
    return pixels


# Albumentations and timm take seconds to import, and an experiment needs at most one of them.
def _dfdc(image_size: int) -> list[ClipAugmentation]:
    from deepfake_ssat.clips.dfdc_augment import DfdcAugmentation

    return [partial(on_rgb, DfdcAugmentation())]


def _rand_augment(image_size: int) -> list[ClipAugmentation]:
    from deepfake_ssat.clips.rand_augment import RandAugmentation

    return [random_flip, partial(on_rgb, RandAugmentation(image_size))]


def build_views(settings: Views, image_size: int) -> MakeViews:
    """What makes the two views of an item."""
    from deepfake_ssat.clips.views import TwoViews

    return TwoViews(settings, image_size)


AUGMENTATIONS: dict[str, Callable[[int], list[ClipAugmentation]]] = {
    "none": lambda image_size: [],
    "flip": lambda image_size: [random_flip],
    "dfdc": _dfdc,
    "rand_augment": _rand_augment,
}
"""Steps by name, for pictures of a given side."""
