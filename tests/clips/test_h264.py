"""H.264 as an augmentation."""

import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.h264 import H264Compression
from deepfake_ssat.config import H264, Augmentation
from tests.clips.pictures import moving_clip


def _error(crf, clip):
    compressed = H264Compression(H264(probability=1.0, crf=(crf, crf)))(clip, np.random.default_rng(0))
    assert compressed.shape == clip.shape
    assert compressed.dtype == np.uint8
    return np.abs(compressed.astype(float) - clip).mean()


def test_higher_rate_factor_loses_more():
    clip = moving_clip(8, 64)
    errors = [_error(crf, clip) for crf in (10, 25, 40)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_single_frames_and_odd_sides_keep_their_shape():
    assert _error(30, moving_clip(1, 33)) > 0


def test_probability_decides_how_many_are_compressed():
    compression = H264Compression(H264(probability=0.3, crf=(30, 40)))
    clip, generator = moving_clip(2, 16), np.random.default_rng(0)
    changed = [not np.array_equal(compression(clip, generator), clip) for _ in range(200)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.1)


def test_same_draw_compresses_both_of_a_pair_alike():
    augmentation = build_augmentation(Augmentation(name="flip", h264=H264(crf=(20, 45))), 32)
    other = pickle.loads(pickle.dumps(augmentation))
    clip = moving_clip(4, 32)
    for seed in range(6):
        first, second = np.random.default_rng(seed), np.random.default_rng(seed)
        assert np.array_equal(augmentation(clip, first), other(clip, second))
        # A clip that is not the same leaves the generator at the same place.
        augmentation(255 - clip, first)
        other(clip, second)
        assert first.random() == second.random()


def test_range_of_the_rate_factor_is_checked():
    for crf in ((40, 20), (-1, 20), (20, 52)):
        with pytest.raises(ValidationError, match="it must ascend and lie in 0 to 51"):
            H264(crf=crf)
