import numpy as np
import pytest
import torch
from pydantic import ValidationError

from deepfake_ssat.clips.augment import build_views
from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.clips.pictures import pictures_of_arrays
from deepfake_ssat.config import Views

PLAIN = {"colour": (0.0, 0.0, 0.0, 0.0), "grey": 0.0}


def still(size: int = 24, frames: int = 3) -> np.ndarray:
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return np.repeat(picture[None], frames, axis=0)


def test_views_are_two_and_come_from_the_generator_alone():
    make = build_views(Views(blur=(1.0, 0.1), solarise=(0.0, 0.2)), 16)
    first, again, other = (make(still(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (2, 3, 16, 16, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_all_frames_of_a_view_are_changed_alike():
    make = build_views(Views(blur=(1.0, 1.0), solarise=(1.0, 1.0)), 16)
    views = make(still(), np.random.default_rng(3))
    assert all(torch.equal(view[0], frame) for view in views for frame in view)


def test_blur_and_solarising_belong_to_their_own_view():
    whole = {"crop": (1.0, 1.0), **PLAIN}
    picture = np.full((1, 16, 16, 3), 200, dtype=np.uint8)
    views = build_views(Views(**whole, solarise=(0.0, 1.0)), 16)(picture, np.random.default_rng(0))
    assert (views[0] == 200).all()
    assert (views[1] == 55).all()
    sharp, blurred = build_views(Views(**whole, blur=(0.0, 1.0)), 24)(
        still(), np.random.default_rng(0)
    ).float()
    assert blurred.var() < 0.9 * sharp.var()


def test_grey_pictures_stay_grey():
    views = build_views(Views(), 16)(still()[..., :1], np.random.default_rng(0))
    assert views.shape == (2, 3, 16, 16, 1)


def test_items_of_pictures_have_views_of_their_own_epoch():
    pictures = pictures_of_arrays(still(frames=4), np.arange(4), ("a", "b", "c", "d"), "made")
    data = ImageDataset(pictures, 16, None, seed=0, views=build_views(Views(), 16))
    first, other = data[0]["views"], data[1]["views"]
    assert first.shape == (2, 1, 16, 16, 3)
    assert not torch.equal(first, other)
    data.set_epoch(1)
    assert not torch.equal(data[0]["views"], first)
    data.set_epoch(0)
    assert torch.equal(data[0]["views"], first)


def test_crop_of_the_views_must_ascend():
    with pytest.raises(ValidationError, match=r"crop \[0\.9, 0\.2\] must be \[smallest, largest\]"):
        Views(crop=(0.9, 0.2))
