"""Random perspective: torchvision's definition, drawn from a generator."""

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode, RandomPerspective
from torchvision.transforms import functional as reference

from deepfake_ssat.clips import perspective
from tests.clips.pictures import colourful_frame


def test_warp_is_that_of_torchvision():
    picture = colourful_frame(64)
    corners = [[0, 0], [63, 0], [63, 63], [0, 63]]
    moved = [[9, 3], [55, 12], [60, 50], [2, 61]]
    expected = np.array(
        reference.perspective(Image.fromarray(picture), corners, moved, InterpolationMode.BILINEAR)
    )
    found = perspective.warp(picture[None], np.array(corners), np.array(moved))[0]
    # OpenCV blends the border with black, Pillow does not.
    np.testing.assert_allclose(found[14:48, 12:52].astype(int), expected[14:48, 12:52], atol=3)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (40, 60)])
def test_corners_move_as_far_as_those_of_torchvision(monkeypatch, height, width):
    drawn = []
    monkeypatch.setattr(perspective, "warp", lambda pixels, corners, moved: drawn.append(moved) or pixels)
    generator, transform = np.random.default_rng(0), perspective.RandomPerspective()
    for _ in range(2000):
        transform(np.zeros((1, height, width, 3), np.uint8), generator)
    theirs = np.array([RandomPerspective.get_params(width, height, 0.5)[1] for _ in range(2000)])
    ours = np.array(drawn)
    np.testing.assert_array_equal(ours.min(axis=0), theirs.min(axis=0))
    np.testing.assert_array_equal(ours.max(axis=0), theirs.max(axis=0))
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=0.6)


def test_all_frames_and_grey_pictures_are_changed_alike():
    clip = np.repeat(colourful_frame(32)[None, ..., :1], 3, axis=0)
    changed = perspective.RandomPerspective()(clip, np.random.default_rng(1))
    assert changed.shape == clip.shape
    assert (changed == changed[0]).all()
    assert not (changed == clip).all()
