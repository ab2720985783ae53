"""Counted multiply-adds: the paper's own numbers for its geometry, and a hand count for another."""

import pytest

from deepfake_ssat.config import (
    CvtSettings,
    FrameClassifierSettings,
    ModelSettings,
    ObjectiveSettings,
    SwinSettings,
)
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "paper"), [("scratch", 1.26), ("mae", 0.43), ("ssat", 1.67)])
def test_vit_tiny_costs_what_table_3_says(name, paper):
    # MAE as published also embeds the hidden patches and predicts the visible ones: 0.026 more.
    assert billions(name) == pytest.approx(paper, abs=0.035)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "published"),
    [
        (SwinSettings(num_classes=1000), 4.5),
        (CvtSettings(num_classes=1000), 4.5),
        (FrameClassifierSettings(backbone="resnet50", frames=1, frames_used=1, num_classes=1000), 4.1),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_networks_of_table_1_cost_what_their_papers_say(network, published):
    scratch = ObjectiveSettings.model_validate({"name": "scratch"})
    assert count_multiply_adds(network, scratch) / 1e9 == pytest.approx(published, abs=0.1)


@pytest.mark.parametrize(
    "network",
    [
        SwinSettings(image_size=32, patch=8, embed_patch=2, window=4, width=12, depths=(1, 1), heads=(1, 2)),
        CvtSettings(
            image_size=16,
            patch=8,
            widths=(12, 24),
            depths=(1, 1),
            heads=(1, 2),
            kernels=(7, 3),
            strides=(4, 2),
            paddings=(2, 1),
        ),
    ],
    ids=lambda value: value.kind,
)
def test_masked_pass_of_a_hierarchical_encoder_costs_as_much_as_another(network):
    costs = {
        name: count_multiply_adds(network, ObjectiveSettings.model_validate({"name": name}))
        for name in ("scratch", "mae", "ssat")
    }
    assert costs["ssat"] == costs["scratch"] + costs["mae"]
    assert costs["mae"] > costs["scratch"]


@pytest.mark.slow
def test_simclr_costs_two_passes_with_its_head_instead_of_the_classifier():
    width, projection = 192, 128
    classifier, head = width * 2, width * width + width * projection
    both = 2 * (billions("scratch") * 1e9 - classifier + head) + 2 * 2 * projection
    assert billions("simclr") * 1e9 == pytest.approx(both)
    assert billions("ssat_simclr") == pytest.approx(billions("scratch") + billions("simclr"))
