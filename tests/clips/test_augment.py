"""Augmentations by name."""

import pickle

import numpy as np
import pytest

from deepfake_ssat.clips.augment import AUGMENTATIONS, build_augmentation
from deepfake_ssat.config import Augmentation
from deepfake_ssat.errors import ConfigError
from tests.clips.pictures import moving_clip, static_clip


def test_none_is_no_augmentation():
    assert build_augmentation(Augmentation(name="none"), 64) is None


def test_table_holds_every_name_of_the_config():
    assert set(AUGMENTATIONS) == set(Augmentation.model_fields["name"].annotation.__args__)


def test_flip_mirrors_whole_clips_half_of_the_time():
    augmentation = build_augmentation(Augmentation(name="flip"), 64)
    clip, generator = moving_clip(2, 16), np.random.default_rng(0)
    results = [augmentation(clip, generator) for _ in range(600)]
    mirrored = [(result == clip[:, :, ::-1]).all() for result in results]
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.06)
    assert all((result == clip).all() for result, turned in zip(results, mirrored, strict=True) if not turned)


@pytest.mark.parametrize("name", ["flip", "dfdc", "rand_augment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_static_clip_stays_static_in_its_channels(name, channels):
    augmentation = build_augmentation(Augmentation(name=name, random_erasing=0.5), 64)
    clip = np.ascontiguousarray(static_clip()[..., :channels])
    for seed in range(10):
        changed = augmentation(clip, np.random.default_rng(seed))
        assert changed.shape == clip.shape
        assert changed.dtype == np.uint8
        assert (changed == changed[:1]).all()


@pytest.mark.parametrize("name", ["dfdc", "rand_augment"])
def test_colours_of_two_channels_are_refused(name):
    augmentation = build_augmentation(Augmentation(name=name), 64)
    with pytest.raises(ConfigError, match="have 2; take name: flip"):
        augmentation(static_clip()[..., :2], np.random.default_rng(0))


@pytest.mark.parametrize("name", ["flip", "dfdc", "rand_augment"])
def test_augmentation_reaches_spawned_workers(name):
    augmentation = build_augmentation(Augmentation(name=name, random_erasing=0.5), 64)
    copied = pickle.loads(pickle.dumps(augmentation))
    ours, theirs = (each(moving_clip(), np.random.default_rng(1)) for each in (augmentation, copied))
    assert (ours == theirs).all()


def test_random_erasing_joins_any_name():
    augmentation = build_augmentation(Augmentation(name="none", random_erasing=1.0), 64)
    assert (augmentation(static_clip(), np.random.default_rng(0)) != static_clip()).any()
