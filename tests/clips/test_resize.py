"""Resizing: areas averaged, pictures never stretched."""

import numpy as np
import pytest

from deepfake_ssat.clips.resize import resize_and_crop, resize_clip
from tests.clips.pictures import moving_clip


def test_shrinking_by_two_averages_four_pixels():
    clip = moving_clip(2, 32)
    means = clip.reshape(2, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(resize_clip(clip, 16) - means).max() <= 0.5


def test_same_size_is_the_same_clip():
    assert (resize_clip(moving_clip(), 64) == moving_clip()).all()


@pytest.mark.parametrize("size", [16, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_channels_are_kept(size, channels):
    assert resize_clip(moving_clip()[..., :channels], size).shape == (4, size, size, channels)


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (33, 33), (7, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_picture_of_any_shape_becomes_a_square(shape, channels):
    assert resize_and_crop(np.zeros((*shape, channels), np.uint8), 20).shape == (20, 20, channels)


def test_the_centre_of_a_wide_picture_is_kept():
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, 20:40] = 255
    assert (resize_and_crop(picture, 20) == 255).all()


def test_border_is_cut_off_as_the_usual_test_transform_does():
    """28 / 0.875 = 32, of which the middle 28 remain: torchvision's Resize(32), CenterCrop(28)."""
    picture = np.full((64, 64, 3), 200, np.uint8)
    picture[4:60, 4:60] = 0
    assert resize_and_crop(picture, 28).max() == 200
    assert resize_and_crop(picture, 28, crop_pct=0.875).max() == 0
    assert resize_and_crop(picture, 28, crop_pct=0.875).shape == (28, 28, 3)
