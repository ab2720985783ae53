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
    augmentation = build_augmentation(Augmentation(name="flip"), 16)
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


@pytest.mark.parametrize("name", ["dfdc", "rand_augment", "platforms"])
def test_colours_of_two_channels_are_refused(name):
    augmentation = build_augmentation(Augmentation(name=name), 64)
    with pytest.raises(ConfigError, match="have 2; take name: flip"):
        augmentation(static_clip()[..., :2], np.random.default_rng(0))


@pytest.mark.parametrize("name", ["flip", "dfdc", "rand_augment", "platforms"])
def test_augmentation_reaches_spawned_workers(name):
    augmentation = build_augmentation(Augmentation(name=name, random_erasing=0.5), 64)
    copied = pickle.loads(pickle.dumps(augmentation))
    ours, theirs = (each(moving_clip(), np.random.default_rng(1)) for each in (augmentation, copied))
    assert (ours == theirs).all()


def test_random_erasing_joins_any_name():
    augmentation = build_augmentation(Augmentation(name="none", random_erasing=1.0), 64)
    assert (augmentation(static_clip(), np.random.default_rng(0)) != static_clip()).any()


@pytest.mark.parametrize("name", ["flip", "dfdc", "rand_augment", "platforms"])
@pytest.mark.parametrize("framing", [None, {}])
def test_clip_of_any_size_comes_out_at_the_networks(name, framing):
    augmentation = build_augmentation(Augmentation.model_validate({"name": name, "framing": framing}), 48)
    for seed in range(6):
        assert augmentation(moving_clip(2, 80), np.random.default_rng(seed)).shape == (2, 48, 48, 3)


def test_both_of_a_pair_are_changed_alike():
    augmentation = build_augmentation(Augmentation.model_validate({"name": "platforms", "framing": {}}), 64)
    real = moving_clip(2, 80)
    fake = real.copy()
    fake[:, 30:50, 30:50] = 255 - fake[:, 30:50, 30:50]

    def difference(seed, other):
        pair = [
            augmentation(clip, np.random.default_rng(s)).astype(int)
            for clip, s in ((real, seed), (fake, other))
        ]
        return np.abs(pair[0] - pair[1])

    alike, unlike = (np.array([difference(seed, seed + apart) for seed in range(40)]) for apart in (0, 1))
    # Outside of the middle there is only what codecs make of the rest of the picture.
    assert np.median(alike[:, :, :8]) <= 2
    assert np.median(unlike[:, :, :8]) > 20
    assert (alike.max(axis=(1, 2, 3, 4)) > 30).all()


def test_framing_and_random_resized_crop_exclude_each_other():
    with pytest.raises(ValueError, match="framing and random_resized_crop both choose"):
        Augmentation.model_validate({"framing": {}, "random_resized_crop": [0.5, 1.0]})
