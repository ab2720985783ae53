"""The DFDC winner's set: each transform acts alike on all frames, as often as asked, from our generator."""

import albumentations as A
import numpy as np
import pytest

from deepfake_ssat.clips.dfdc_augment import DfdcAugmentation, dfdc_transforms
from tests.clips.pictures import colourful_frame, moving_clip, static_clip

_PROBABILITIES = {
    "ImageCompression": 0.5,
    "FastGaussNoise": 0.1,
    "GaussianBlur": 0.05,
    "FastHorizontalFlip": 0.5,
    "OneOf": 0.7,
    "ToGray": 0.2,
    "FastAffine": 0.5,
}


def _single_transforms() -> list[A.BasicTransform]:
    """The set with the choice opened."""
    opened = []
    for transform in dfdc_transforms():
        opened += transform.transforms if isinstance(transform, A.OneOf) else [transform]
    return opened


def _named(name: str) -> A.BasicTransform:
    return next(transform for transform in _single_transforms() if type(transform).__name__ == name)


def _forced(transform: A.BasicTransform, clip: np.ndarray, seed: int = 0) -> np.ndarray:
    transform.set_random_seed(seed)
    return transform(force_apply=True, images=clip)["images"]


def test_set_has_the_winners_order_and_probabilities():
    assert {type(transform).__name__: transform.p for transform in dfdc_transforms()} == _PROBABILITIES
    choice = next(transform for transform in dfdc_transforms() if isinstance(transform, A.OneOf))
    names = [type(transform).__name__ for transform in choice.transforms]
    assert names == ["RandomBrightnessContrast", "FastFancyPCA", "HueSaturationValue"]
    assert choice.transforms_ps == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("transform", _single_transforms(), ids=lambda transform: type(transform).__name__)
def test_transform_keeps_static_clip_static_and_its_shape(transform):
    clip = static_clip()
    changed = _forced(transform, clip)
    assert changed.shape == clip.shape
    assert changed.dtype == np.uint8
    assert (changed == changed[:1]).all()
    assert (clip == static_clip()).all()


@pytest.mark.parametrize("transform", _single_transforms(), ids=lambda transform: type(transform).__name__)
def test_transform_does_something_and_depends_on_its_seed_only(transform):
    changed = _forced(transform, moving_clip(), seed=4)
    assert (changed == _forced(transform, moving_clip(), seed=4)).all()
    assert any((_forced(transform, moving_clip(), seed) != moving_clip()).any() for seed in range(5))


@pytest.mark.parametrize("name", [name for name in _PROBABILITIES if name != "OneOf"])
def test_transform_is_applied_as_often_as_its_probability_says(name):
    transform = _named(name)
    transform.set_random_seed(0)
    applied = np.mean([transform.should_apply() for _ in range(4000)])
    assert applied == pytest.approx(_PROBABILITIES[name], abs=0.03)


def test_compression_is_jpeg_of_quality_60_to_100_alike_on_all_frames():
    transform = _named("ImageCompression")
    transform.set_random_seed(0)
    qualities = [transform.get_params()["quality"] for _ in range(500)]
    assert (min(qualities), max(qualities)) == (60, 100)
    mild = transform.apply(colourful_frame(), quality=100, image_type=".jpg").astype(int)
    strong = transform.apply(colourful_frame(), quality=60, image_type=".jpg").astype(int)
    assert np.abs(mild - colourful_frame()).mean() < np.abs(strong - colourful_frame()).mean() < 20


def test_noise_has_the_winners_variance():
    clip = np.full((1, 128, 128, 3), 128, np.uint8)
    spreads = [_forced(_named("FastGaussNoise"), clip, seed).std() for seed in range(20)]
    assert 10**0.5 * 0.95 < min(spreads) < 5
    assert 5 < max(spreads) < 50**0.5 * 1.05


def test_blur_is_a_gaussian_of_three_pixels():
    clip = np.zeros((1, 9, 9, 3), np.uint8)
    clip[:, 4, 4] = 255
    weights = np.exp(-0.5 * (np.array([-1, 0, 1]) / 0.8) ** 2)
    weights /= weights.sum()
    blurred = _forced(_named("GaussianBlur"), clip)[0, :, :, 0]
    assert np.abs(blurred[3:6, 3:6] - 255 * np.outer(weights, weights)).max() <= 1.5
    assert blurred.sum() - blurred[3:6, 3:6].sum() == 0


def test_flip_mirrors_left_and_right():
    assert (_forced(_named("FastHorizontalFlip"), moving_clip()) == moving_clip()[:, :, ::-1]).all()


def test_grey_has_equal_channels():
    grey = _forced(_named("ToGray"), moving_clip()).astype(int)
    assert (grey == grey[..., :1]).all()
    luma = moving_clip() @ [0.299, 0.587, 0.114]
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_shift_scale_rotate_stays_within_its_limits_and_never_stretches():
    transform = _named("FastAffine")
    for seed in range(50):
        _forced(transform, static_clip(1, 50), seed)
        matrix = transform.params["matrix"]
        scale = np.hypot(matrix[0, 0], matrix[1, 0])
        angle = np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0]))
        centre = np.array([24.5, 24.5, 1])
        shift = (matrix @ centre - centre)[:2] / 50
        assert 0.8 <= scale <= 1.2
        assert np.linalg.det(matrix[:2, :2]) == pytest.approx(scale**2)
        assert abs(angle) <= 10
        assert np.abs(shift).max() <= 0.1


def test_shift_scale_rotate_uncovers_black():
    transform = _named("FastAffine")
    clip = np.full((2, 64, 64, 3), 200, np.uint8)
    shrunk = next(
        changed
        for changed in (_forced(transform, clip, seed) for seed in range(20))
        if transform.params["scale"]["x"] < 0.9
    )
    assert (np.unique(shrunk[:, 0]) == [0]).all() or (np.unique(shrunk[:, -1]) == [0]).all()


def test_whole_set_keeps_static_clip_static():
    augmentation = DfdcAugmentation()
    for seed in range(30):
        changed = augmentation(static_clip(), np.random.default_rng(seed))
        assert changed.shape == static_clip().shape
        assert changed.dtype == np.uint8
        assert (changed == changed[:1]).all()


def test_whole_set_depends_on_the_generator_only():
    first, second = DfdcAugmentation(), DfdcAugmentation()
    for _ in range(3):
        second(moving_clip(), np.random.default_rng(99))
    for seed in range(10):
        ours = first(moving_clip(), np.random.default_rng(seed))
        assert (ours == second(moving_clip(), np.random.default_rng(seed))).all()


def test_whole_set_differs_from_call_to_call():
    augmentation, generator = DfdcAugmentation(), np.random.default_rng(0)
    results = {augmentation(moving_clip(), generator).tobytes() for _ in range(10)}
    assert len(results) >= 9
