"""What of two runs' settings is compared."""

import pytest

from deepfake_ssat.config.training import CHANGES_NO_RESULT, TrainerSettings
from deepfake_ssat.protocols.settings import deciding_settings, setting_differences


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
