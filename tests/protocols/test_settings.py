"""What of two runs' settings is compared."""

import pytest

from deepfake_ssat.config.training import CHANGES_NO_RESULT, TrainerSettings
from deepfake_ssat.protocols.settings import (
    BEFORE,
    deciding_settings,
    setting_differences,
    with_trainings_before,
)


def differing(one, other):
    return [d.key for d in setting_differences(deciding_settings(one), deciding_settings(other))]


@pytest.mark.parametrize("name", sorted(CHANGES_NO_RESULT))
def test_what_changes_no_result_is_no_difference_even_to_a_run_that_did_not_have_it(name):
    assert name in TrainerSettings.model_fields
    assert differing({"trainer": {name: 1, "epochs": 2}}, {"trainer": {name: 2, "epochs": 2}}) == []
    assert differing({"trainer": {name: 1, "epochs": 2}}, {"trainer": {"epochs": 2}}) == []


def test_what_decides_the_result_is_a_difference_but_the_seed_and_the_place_of_the_data():
    one = {"seed": 0, "data": {"manifest": "a", "pairs": "none"}, "trainer": {"epochs": 1}}
    other = {"seed": 1, "data": {"manifest": "b", "pairs": "aligned"}, "trainer": {"epochs": 2}}
    assert differing(one, other) == ["data.pairs", "trainer.epochs"]


def started_from(place, **training):
    """Settings of a run whose initial weights lie at ``place`` and come from such a training."""
    common = {"objective": "mae", "epochs": 2, "base_learning_rate": 1e-3, "layer_decay": 1, "drop_path": 0}
    return with_trainings_before({"init": place, "trainer": {"epochs": 2}}, [common | training])


def test_seeds_with_pre_trainings_of_their_own_differ_in_nothing_but_other_pre_trainings_do():
    one = started_from("seed0/last.safetensors", manifest_hash="a" * 64)
    other = started_from("seed1/last.safetensors", manifest_hash="a" * 64)
    assert setting_differences(one, other) == []
    elsewhere = started_from("seed1/last.safetensors", manifest_hash="b" * 64)
    assert [d.key for d in setting_differences(one, elsewhere)] == [BEFORE]


def test_weights_that_tell_nothing_are_known_by_their_place():
    one, other = (with_trainings_before({"init": place}, None) for place in ("a", "b"))
    assert [d.key for d in setting_differences(one, other)] == ["init"]
