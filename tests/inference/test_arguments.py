"""What a caller hands over wrongly is one line with the value, the rule and the remedy."""

import numpy as np
import pytest
import torch

from deepfake_ssat.errors import ConfigError, DeepfakeError, MissingFileError
from deepfake_ssat.inference.arguments import (
    check_clips,
    check_num_clips,
    check_pixels,
    existing_file,
)
from tests.models.tiny import VIDEO

SHAPE = (2, VIDEO.frames, VIDEO.image_size, VIDEO.image_size, 3)


@pytest.mark.parametrize("clips", [0, -1, 2.5, "4", True, [1]])
def test_number_of_clips_is_from_1_or_all(clips):
    with pytest.raises(ConfigError, match="give a number from 1, or None for every clip"):
        check_clips(clips)
    for good in (1, np.int64(3), None):
        check_clips(good)


@pytest.mark.parametrize("num_clips", [-1, None, "2", 1.0])
def test_number_of_explained_clips_is_from_0(num_clips):
    with pytest.raises(ConfigError, match="from 0"):
        check_num_clips(num_clips)
    check_num_clips(0)


@pytest.mark.parametrize("value", [None, 3, b"x.mp4", ["x.mp4"]])
def test_what_is_no_path_is_named(value):
    with pytest.raises(ConfigError, match=r"path is .*; give one path"):
        existing_file(value, "path")


def test_missing_file_is_both_ours_and_pythons(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"none\.mp4 does not exist, or may not be read; check the path"
    ):
        existing_file(tmp_path / "none.mp4", "path")
    assert issubclass(MissingFileError, DeepfakeError)
    assert existing_file(tmp_path, "path") == str(tmp_path)


@pytest.mark.parametrize(
    "pixels",
    [
        [1, 2],
        np.zeros(SHAPE),
        np.zeros(SHAPE[1:], np.uint8),
        np.zeros((2, VIDEO.frames + 1, *SHAPE[2:]), np.uint8),
        torch.zeros(SHAPE),
    ],
)
def test_pixels_of_another_kind_or_shape_are_refused_with_the_right_one(pixels):
    with pytest.raises(ConfigError, match=r"\(B, 4, 32, 32, 3\) uint8"):
        check_pixels(pixels, VIDEO)
    check_pixels(np.zeros(SHAPE, np.uint8), VIDEO)
    check_pixels(torch.zeros(SHAPE, dtype=torch.uint8), VIDEO)
