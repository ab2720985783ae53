"""A decision's formula, its place in old and new checkpoints, and what it says of itself."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.models.decision import (
    AggregationPolicy,
    Calibration,
    CrossFit,
    Decision,
    ErrorLimit,
    parse_decision,
)
from tests.inference.scripted import write_checkpoint

CALIBRATION = Calibration(
    "platt",
    ErrorLimit(2, 40, 0.05, 0.149),
    ErrorLimit(1, 30, 0.05, 0.153),
    ("ab" * 32,),
    ("val",),
    "cd" * 32,
    CrossFit(5, 3, 2, 20),
)
CALIBRATED = Decision(0.7, 0.3, 0.7, 1.8, -0.4, CALIBRATION, AggregationPolicy("median", "mean"))


def test_probability_is_the_softmax_of_the_fake_logit_with_a_bias():
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)) * 4
    shifted = logits / 1.8 + torch.tensor([0.0, -0.4])
    expected = shifted.softmax(dim=1)[:, 1]
    torch.testing.assert_close(CALIBRATED.probabilities(logits), expected)


def test_decision_of_an_older_file_has_no_bias_and_the_papers_rules():
    old = {"threshold": 0.6, "uncertain_low": 0.5, "uncertain_high": 0.7, "temperature": 1.5}
    papers = AggregationPolicy("mean", "max")
    assert parse_decision(old) == Decision(0.6, 0.5, 0.7, 1.5, aggregation=papers)


def test_rules_alone_choose_nothing():
    assert not Decision(aggregation=AggregationPolicy("max")).is_chosen
    assert Decision(0.6, 0.5, 0.7).is_chosen


def test_rules_of_a_later_version_are_refused(tmp_path, monkeypatch):
    from deepfake_ssat.models import checkpoint as module

    later = {**asdict(Decision()), "aggregation": {"clips": "trimmed", "faces": "max"}}
    monkeypatch.setattr(module, "asdict", lambda _: later)
    path = write_checkpoint(tmp_path / "later.safetensors")
    with pytest.raises(CheckpointError, match="clips policy 'trimmed' is not known"):
        load_checkpoint(path)


def test_decision_survives_json():
    assert parse_decision(json.loads(json.dumps(asdict(CALIBRATED)))) == CALIBRATED


def test_calibrated_checkpoint_is_loaded_as_it_was_saved(tmp_path):
    path = write_checkpoint(tmp_path / "a.safetensors", decision=CALIBRATED)
    assert load_checkpoint(path).decision == CALIBRATED


def test_checkpoint_written_before_there_was_a_bias_still_loads(tmp_path, monkeypatch):
    from deepfake_ssat.models import checkpoint as module

    def as_before(decision):
        values = asdict(decision)
        return {
            name: values[name] for name in ("threshold", "uncertain_low", "uncertain_high", "temperature")
        }

    loaded = load_checkpoint(write_checkpoint(tmp_path / "new.safetensors"))
    monkeypatch.setattr(module, "asdict", as_before)
    save_checkpoint(tmp_path / "old.safetensors", replace(loaded, decision=Decision(0.6, 0.5, 0.7, 1.5)))
    monkeypatch.undo()
    expected = Decision(0.6, 0.5, 0.7, 1.5, aggregation=AggregationPolicy("mean", "max"))
    assert load_checkpoint(tmp_path / "old.safetensors").decision == expected


@pytest.mark.parametrize("changes", [{"bias": float("nan")}, {"bias": float("inf")}, {"temperature": 0.0}])
def test_impossible_scaling_is_refused(changes):
    with pytest.raises(CheckpointError, match="finite bias"):
        Decision(**changes)


def test_meaning_says_how_many_videos_it_rests_on():
    text = CALIBRATION.in_words()
    for part in ("40 genuine", "30 manipulated", "2 of 40", "14.9 %", "1 of 30", "15.3 %", "at most 5 %"):
        assert part in text
