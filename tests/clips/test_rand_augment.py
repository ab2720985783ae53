"""RandAugment: timm's own on single pictures, the same operations on all frames, our randomness."""

import random

import numpy as np
import pytest
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from deepfake_ssat.clips.rand_augment import RandAugmentation
from tests.clips.pictures import colourful_frame, moving_clip, static_clip


@pytest.mark.parametrize("seed", range(10))
def test_static_clip_stays_static(seed):
    changed = RandAugmentation(64)(static_clip(), np.random.default_rng(seed))
    assert changed.shape == static_clip().shape
    assert changed.dtype == np.uint8
    assert (changed == changed[:1]).all()


def test_single_picture_equals_timm_with_the_same_seed():
    seed = int(np.random.default_rng(5).integers(2**32))
    random.seed(seed)
    np.random.seed(seed)
    bicubic = {"interpolation": Image.Resampling.BICUBIC}
    theirs = rand_augment_transform(
        "rand-m9-mstd0.5-inc1", {"translate_const": 28, "img_mean": (124, 116, 104), **bicubic}
    )
    expected = np.asarray(theirs(Image.fromarray(colourful_frame())))
    ours = RandAugmentation(64)(colourful_frame()[None], np.random.default_rng(5))
    assert (ours[0] == expected).all()


def test_depends_on_the_generator_only_and_leaves_global_randomness_alone():
    augmentation = RandAugmentation(64)
    random.seed(1)
    np.random.seed(1)
    first = augmentation(moving_clip(), np.random.default_rng(3))
    after = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    assert after == (random.random(), np.random.rand())
    assert (first == augmentation(moving_clip(), np.random.default_rng(3))).all()


def test_full_magnitude_posterize_keeps_one_bit():
    """Magnitude 9 ± 0.5 reaches 10 now and then, where timm asks Pillow for zero bits."""
    operations = RandAugmentation(64)._transform.ops
    posterize = next(operation for operation in operations if operation.name == "PosterizeIncreasing")
    posterize.prob, posterize.magnitude, posterize.magnitude_std = 1.0, 10, 0.0
    changed = np.asarray(posterize(Image.fromarray(colourful_frame())))
    assert (changed == (colourful_frame() & 0b1000_0000)).all()


def test_every_operation_of_the_recipe_runs_at_every_magnitude():
    for operation in RandAugmentation(64)._transform.ops:
        operation.prob, operation.magnitude_std = 1.0, 0.0
        for magnitude in (0, 5, 9, 10):
            operation.magnitude = magnitude
            assert operation(Image.fromarray(colourful_frame())).size == (64, 64)


def test_differs_from_call_to_call():
    augmentation, generator = RandAugmentation(64), np.random.default_rng(0)
    assert len({augmentation(moving_clip(), generator).tobytes() for _ in range(10)}) >= 8
