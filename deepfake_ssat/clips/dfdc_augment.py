"""The augmentation of the DFDC winner, in Albumentations, with one set of parameters for a whole clip.

Source: the released training code of the DFDC's first place, which appendix D of the SSAT paper takes over.
Its values are Albumentations 0.4's defaults where it names none; version 2 changed several of those (noise
of 40 % instead of 2 %, blur up to sigma 3, width and height scaled apart), so all are spelt out here.
"""

from __future__ import annotations

import random

import albumentations as A
import cv2
import numpy as np

from deepfake_ssat.clips.fast_transforms import (
    FastAffine,
    FastFancyPCA,
    FastGaussNoise,
    FastHorizontalFlip,
)


class DfdcAugmentation:
    """Compression, noise, blur, flip, colour, to-grey, shift-scale-rotate on (T, H, W, 3) uint8."""

    def __init__(self) -> None:
        self._compose = A.Compose(dfdc_transforms())

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """The same shape and type; every draw comes from the generator."""
        python_random = random.Random(int(generator.integers(2**63)))
        self._compose.set_random_state(generator, python_random)
        return self._compose(images=pixels)["images"]


def dfdc_transforms() -> list[A.BasicTransform | A.BaseCompose]:
    """The set in its order, with its probabilities."""
    return [
        A.ImageCompression(quality_range=(60, 100), p=0.5),
        # Variance 10 to 50, in grey levels squared.
        FastGaussNoise(std_range=(10**0.5 / 255, 50**0.5 / 255), p=0.1),
        # OpenCV's own sigma for a kernel of 3.
        A.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.8, 0.8), p=0.05),
        FastHorizontalFlip(p=0.5),
        A.OneOf(
            [
                A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
                FastFancyPCA(alpha=0.1, p=0.5),
                A.HueSaturationValue(hue_shift_limit=20, sat_shift_limit=30, val_shift_limit=20, p=0.5),
            ],
            p=0.7,
        ),
        A.ToGray(p=0.2),
        FastAffine(
            translate_percent=(-0.1, 0.1),
            scale=(0.8, 1.2),
            keep_ratio=True,
            rotate=(-10, 10),
            interpolation=cv2.INTER_LINEAR,
            border_mode=cv2.BORDER_CONSTANT,
            fill=0,
            p=0.5,
        ),
    ]
