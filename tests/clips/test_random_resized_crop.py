"""Random resized crop: one part for all frames, its area and aspect within their limits."""

import numpy as np
import pytest

from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.random_resized_crop import RandomResizedCrop
from deepfake_ssat.config import Augmentation

RAMPS = np.stack(np.meshgrid(np.arange(200), np.arange(200)), axis=-1).astype(np.uint8)[None]
"""Each pixel holds its column and its row."""


def part(seed, scale):
    """(width, height) of what is cut out, as parts of the picture."""
    crop = RandomResizedCrop(scale, 200)(RAMPS, np.random.default_rng(seed))[0].astype(int)
    # Half a pixel at both ends shows the part's first and last value.
    return (np.ptp(crop[..., 0]) + 1) / 200, (np.ptp(crop[..., 1]) + 1) / 200


def test_area_and_aspect_stay_within_their_limits():
    parts = np.array([part(seed, (0.1, 0.6)) for seed in range(60)])
    areas, aspects = parts.prod(axis=1), parts[:, 0] / parts[:, 1]
    assert 0.09 < areas.min() < 0.2 < 0.5 < areas.max() < 0.62
    assert 0.72 < aspects.min() < 0.85 < 1.2 < aspects.max() < 1.37


def test_all_frames_show_the_same_part_in_the_same_size():
    clip = np.repeat(RAMPS, 3, axis=0)
    crop = RandomResizedCrop((0.08, 1.0), 200)(clip, np.random.default_rng(1))
    assert crop.shape == clip.shape
    assert (crop == crop[:1]).all()
    assert not (crop == clip).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_size_get_the_wanted_one(channels):
    for seed, (height, width) in enumerate([(28, 28), (40, 90), (90, 40), (5, 7)] * 5):
        picture = np.random.default_rng(0).integers(0, 255, (1, height, width, channels)).astype(np.uint8)
        crop = RandomResizedCrop((0.08, 1.0), 28)(picture, np.random.default_rng(seed))
        assert crop.shape == (1, 28, 28, channels)


@pytest.mark.parametrize(("height", "width", "shown"), [(10, 100, (44, 56)), (100, 10, (0, 10))])
def test_middle_of_an_allowed_aspect_where_no_part_fits(height, width, shown):
    """Of 10 x 100 pixels the middle 10 x 13, whose columns begin at 43."""
    columns = (
        np.broadcast_to(np.arange(width), (height, width))[None, ..., None].repeat(3, -1).astype(np.uint8)
    )
    crop = RandomResizedCrop((1.0, 1.0), 13)(columns, np.random.default_rng(0))
    assert shown[0] - 1 <= crop.min() < crop.max() <= shown[1]


def test_is_the_first_step_and_off_by_default():
    assert build_augmentation(Augmentation(name="none"), 28) is None
    augment = build_augmentation(Augmentation(name="none", random_resized_crop=(0.1, 0.2)), 28)
    assert augment is not None
    expected = RandomResizedCrop((0.1, 0.2), 28)(RAMPS, np.random.default_rng(5))
    assert (augment(RAMPS, np.random.default_rng(5)) == expected).all()


def test_scale_must_ascend():
    with pytest.raises(ValueError, match="must be \\[smallest, largest\\]"):
        Augmentation(random_resized_crop=(0.5, 0.2))
