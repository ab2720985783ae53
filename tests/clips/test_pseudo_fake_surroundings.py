"""Pseudo-fakes whose surroundings are the changed side of the seam."""

import numpy as np
import pytest

from deepfake_ssat.clips.pseudo_fakes import pseudo_fake_pair
from deepfake_ssat.clips.pseudo_fakes.outline import CANONICAL_LANDMARKS
from deepfake_ssat.config import PseudoFakeSettings
from tests.clips.pictures import static_clip

LANDMARKS = np.tile(CANONICAL_LANDMARKS * 40 + (64, 50), (2, 1, 1))


def pairs(share, count=30):
    settings = PseudoFakeSettings(surroundings=share, opacity=(1.0, 1.0), feather=(0.01, 0.02))
    clip = static_clip(2, 128)
    made = [pseudo_fake_pair(clip, LANDMARKS, np.random.default_rng(seed), settings) for seed in range(count)]
    return [pair for pair in made if pair is not None]


def corner_change(pair):
    return np.abs(pair.fake.astype(int) - pair.real)[:, :8, :8].mean()


@pytest.mark.slow
def test_face_stays_and_its_surroundings_are_changed():
    for pair in pairs(1.0):
        kept = pair.mask == 0
        assert kept.sum() > 100
        assert (pair.fake[kept] == pair.real[kept]).all()
        assert pair.mask[:, 0, 0].min() == pytest.approx(1.0)
    assert np.mean([corner_change(pair) for pair in pairs(1.0)]) > 2


def test_without_it_nothing_outside_the_face_changes():
    for pair in pairs(0.0):
        assert corner_change(pair) == 0


@pytest.mark.slow
def test_as_many_as_asked_for():
    part = np.mean([pair.mask[0, 0, 0] > 0.5 for pair in pairs(0.35, 200)])
    assert part == pytest.approx(0.35, abs=0.1)
