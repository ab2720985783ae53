"""Counted multiply-adds: the paper's own numbers for its geometry, and a hand count for another."""

import pytest

from deepfake_ssat.config import ModelSettings, ObjectiveSettings
from deepfake_ssat.training.operations import count_multiply_adds


def settings(**changes):
    values = {
        "frames": 1,
        "tubelet": 1,
        "image_size": 224,
        "patch": 16,
        "pooling": "class_token",
        "positions": "sincos_2d",
        "encoder": {"preset": "tiny"},
        "decoder": {},
    }
    return ModelSettings.model_validate(values | changes)


def billions(name, **changes):
    return count_multiply_adds(settings(**changes), ObjectiveSettings.model_validate({"name": name})) / 1e9


@pytest.mark.parametrize(("name", "paper"), [("scratch", 1.26), ("mae", 0.43), ("ssat", 1.67)])
def test_vit_tiny_costs_what_table_3_says(name, paper):
    # MAE as published also embeds the hidden patches and predicts the visible ones: 0.026 more.
    assert billions(name) == pytest.approx(paper, abs=0.035)


def test_joint_training_costs_both_passes():
    changes = {"image_size": 28, "patch": 2}
    both = billions("scratch", **changes) + billions("mae", **changes)
    assert billions("ssat", **changes) == pytest.approx(both)
    assert billions("scratch", **changes) < billions("ssat", **changes)


def test_classification_is_counted_like_by_hand():
    tokens, width, hidden, patch_values = 4 + 1, 32, 128, 8 * 8 * 3
    block = tokens * width * (4 * width + 2 * hidden) + 2 * tokens**2 * width
    by_hand = 4 * patch_values * width + 3 * block + 2 * width
    tiny = settings(image_size=16, patch=8, encoder={"width": 32, "depth": 3, "heads": 2})
    assert count_multiply_adds(tiny, ObjectiveSettings.model_validate({"name": "scratch"})) == by_hand


def test_simclr_costs_two_passes_with_its_head_instead_of_the_classifier():
    width, projection = 192, 128
    classifier, head = width * 2, width * width + width * projection
    both = 2 * (billions("scratch") * 1e9 - classifier + head) + 2 * 2 * projection
    assert billions("simclr") * 1e9 == pytest.approx(both)
    assert billions("ssat_simclr") == pytest.approx(billions("scratch") + billions("simclr"))
