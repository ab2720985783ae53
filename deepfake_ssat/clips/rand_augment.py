"""timm's RandAugment rand-m9-mstd0.5-inc1 (table 14), the same operations on every frame of a clip."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps
from timm.data.auto_augment import rand_augment_transform

RECIPE = "rand-m9-mstd0.5-inc1"
_IMAGENET_MEAN_COLOUR = (124, 116, 104)
"""Fills what a shift or rotation uncovers, as in timm's own training transform."""


class RandAugmentation:
    """RandAugment on (T, H, W, 3) uint8.

    Operations and magnitudes are the same for all frames; equalize and auto-contrast still read each
    frame's own histogram.
    """

    def __init__(self, image_size: int) -> None:
        # timm shifts by up to 45 % of the side; left to itself it draws bilinear or bicubic.
        settings = {
            "translate_const": int(image_size * 0.45),
            "img_mean": _IMAGENET_MEAN_COLOUR,
            "interpolation": Image.Resampling.BICUBIC,
        }
        self._transform = rand_augment_transform(RECIPE, settings)
        for operation in self._transform.ops:
            if operation.name == "PosterizeIncreasing":
                operation.aug_fn = _posterize

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """The same shape and type; every draw comes from the generator."""
        seed = int(generator.integers(2**32))
        frames = []
        for frame in pixels:
            with _global_seed(seed):
                frames.append(np.asarray(self._transform(Image.fromarray(frame))))
        return np.stack(frames)


def _posterize(picture: Image.Image, bits_to_keep: int, **_: object) -> Image.Image:
    """Keeps one bit at least: timm asks for none at full magnitude, which Pillow 13 refuses."""
    return ImageOps.posterize(picture, max(1, bits_to_keep))


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seeds python's and numpy's global generators, the only ones timm draws from, and puts them back."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
