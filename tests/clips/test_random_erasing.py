"""Random erasing: one rectangle, at the same place in all frames, as often as asked."""

import numpy as np
import pytest

from deepfake_ssat.clips.random_erasing import RandomErasing
from tests.clips.pictures import moving_clip, static_clip


def test_erases_one_rectangle_alike_in_all_frames_and_copies():
    clip = moving_clip()
    erased = RandomErasing(1.0)(clip, np.random.default_rng(0))
    changed = (erased != clip).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=(0, 2))), np.flatnonzero(changed.any(axis=(0, 1)))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = np.zeros((64, 64), bool)
    inside[box] = True
    assert not changed[:, ~inside].any()
    assert changed[:, inside].mean() > 0.95
    assert (erased[(slice(None), *box)] == erased[(slice(1), *box)]).all()
    assert (clip == moving_clip()).all()


def test_area_and_shape_stay_within_their_limits():
    black = np.zeros((1, 100, 100, 3), np.uint8)
    for seed in range(40):
        erased = RandomErasing(1.0)(black, np.random.default_rng(seed))[0].any(axis=-1)
        rows, columns = erased.any(axis=1).sum(), erased.any(axis=0).sum()
        assert 0.018 < rows * columns / 10_000 < 0.35
        assert 0.27 < rows / columns < 3.7


def test_noise_has_the_mean_and_spread_of_natural_pictures():
    black = np.zeros((1, 200, 200, 3), np.uint8)
    erased = RandomErasing(1.0)(black, np.random.default_rng(1))[0]
    noise = erased[erased.any(axis=-1)] / 255
    assert noise.mean(axis=0) == pytest.approx([0.485, 0.456, 0.406], abs=0.02)


def test_probability_is_honoured():
    generator = np.random.default_rng(0)
    clip = static_clip(1, 16)
    changed = [(RandomErasing(0.25)(clip, generator) != clip).any() for _ in range(2000)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.03)


def test_grey_pictures_are_erased_too():
    erased = RandomErasing(1.0)(static_clip()[..., :1], np.random.default_rng(0))
    assert erased.shape == (4, 64, 64, 1)
