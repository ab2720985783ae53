import math

import pytest
import torch
from torch import nn

from deepfake_ssat.config import FrameModelSettings, ObjectiveSettings, OptimizerSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.frame_model import FrameModel
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, build_tasks
from deepfake_ssat.training.optim import (
    Schedule,
    adamw,
    freeze_stem,
    freeze_unused,
    make_schedule,
    parameter_groups,
    per_step,
)
from tests.models.tiny import HYBRID, IMAGE, VIDEO


def test_absolute_rate_is_base_times_effective_batch_over_256():
    settings = OptimizerSettings(base_learning_rate=1e-3, warmup_epochs=5)
    schedule = make_schedule(settings, effective_batch=64, steps_per_epoch=10, epochs=100)
    assert schedule.peak == pytest.approx(2.5e-4)
    assert (schedule.warmup_steps, schedule.total_steps) == (50, 1000)


def test_rate_warms_up_linearly_and_falls_by_half_a_cosine():
    schedule = Schedule(peak=1.0, warmup_start=0.2, final=0.1, warmup_steps=4, total_steps=12)
    assert [schedule.rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert schedule.rate(8) == pytest.approx(0.55)
    assert schedule.rate(6) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert schedule.rate(12) == pytest.approx(0.1)


def test_rate_without_warm_up_begins_at_the_peak():
    assert Schedule(2.0, 0.0, 0.0, warmup_steps=0, total_steps=10).rate(0) == 2.0


def test_rate_stays_flat_before_the_cosine():
    schedule = Schedule(1.0, 0.2, 0.1, warmup_steps=4, total_steps=24, flat_part=0.5)
    assert [schedule.rate(step) for step in (4, 9, 14)] == [1.0, 1.0, 1.0]
    assert schedule.rate(19) == pytest.approx(0.55)
    assert schedule.rate(24) == pytest.approx(0.1)
    whole = Schedule(1.0, 0.2, 0.1, warmup_steps=4, total_steps=24, flat_part=1.0)
    assert [whole.rate(step) for step in (4, 14, 23)] == [1.0, 1.0, 1.0]


def test_norms_biases_and_tokens_do_not_decay():
    model = MaskedAutoencoder(IMAGE)
    decaying = {
        id(parameter)
        for group in parameter_groups(model, 0.05, 1.0, 1.0)
        for parameter in group["params"]
        if group["weight_decay"] > 0
    }
    expected = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    assert decaying == expected


def test_every_trainable_parameter_is_in_one_group():
    model = MaskedAutoencoder(VIDEO)
    listed = [id(p) for group in parameter_groups(model, 0.05, 0.75, 1.0) for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("encoder.patch_embed.weight", 4),
        ("encoder.blocks.0.mlp.fc1.weight", 3),
        ("encoder.blocks.2.mlp.fc1.weight", 1),
        ("encoder.norm.weight", 0),
        ("head.weight", 0),
        ("decoder.predict.bias", 0),
    ],
)
def test_rate_of_a_layer_falls_with_its_distance_from_the_head(name, power):
    model = MaskedAutoencoder(VIDEO)
    wanted = model.get_parameter(name)
    groups = parameter_groups(model, 0.05, 0.75, peak_rate=2.0)
    rate = next(g["lr"] for g in groups if any(p is wanted for p in g["params"]))
    assert rate == pytest.approx(2.0 * 0.75**power)


def test_layers_keep_their_ratio_through_the_schedule():
    model = MaskedAutoencoder(VIDEO)
    schedule = Schedule(peak=1.0, warmup_start=0.5, final=0.0, warmup_steps=2, total_steps=6)
    optimizer = adamw(model, OptimizerSettings(layer_decay=0.5), schedule.peak)
    scheduler = per_step(optimizer, schedule)
    for step in range(6):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert max(rates) == pytest.approx(schedule.rate(step))
        assert max(rates) / min(rates) == pytest.approx(2.0**4)
        optimizer.step()
        scheduler.step()


def _reached(model: MaskedAutoencoder, objective: str) -> set[str]:
    settings = model.settings
    clips = torch.rand(2, 3, settings.frames, settings.image_size, settings.image_size)
    labels = torch.tensor([0, 1])
    objective_settings = ObjectiveSettings.model_validate({"name": objective})
    auxiliary = Auxiliary(build_tasks(model, objective_settings), torch.stack([clips, clips]))
    OBJECTIVES[objective](model, clips, labels, objective_settings, None, None, auxiliary).total.backward()
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("settings", [VIDEO, IMAGE], ids=["video", "image"])
def test_what_is_trained_is_what_the_objective_reaches(objective, settings):
    model = MaskedAutoencoder(settings)
    reached = _reached(model, objective)
    freeze_unused(model, ObjectiveSettings.model_validate({"name": objective}))
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == reached


def rates(model, **settings):
    """By name of a trained parameter, its part of the peak rate."""
    optimizer = adamw(model, OptimizerSettings(**settings), 1.0)
    by_id = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    return {name: by_id[id(value)] for name, value in model.named_parameters() if id(value) in by_id}


def test_stem_is_trained_along_at_a_lower_rate():
    given = rates(MaskedAutoencoder(HYBRID), stem_rate=0.1, layer_decay=0.5)
    assert given["head.weight"] == given["decoder.predict.weight"] == 1.0
    assert given["encoder.blocks.2.mlp.fc1.weight"] == 0.5
    assert given["encoder.patch_embed.weight"] == pytest.approx(0.5**4)
    (of_stem,) = {value for name, value in given.items() if name.startswith("encoder.stem.")}
    assert of_stem == pytest.approx(0.1 * 0.5**4)


def test_first_blocks_of_a_stem_are_left_out_of_training():
    model = MaskedAutoencoder(HYBRID)
    freeze_stem(model, OptimizerSettings(frozen_stem_blocks=3))
    names = [name for name in rates(model) if name.startswith("encoder.stem.")]
    assert {name.split(".")[2] for name in names} == {"blocks"}
    assert sorted({int(name.split(".")[3]) for name in names}) == list(range(3, 16))


def test_frozen_stem_of_a_frame_model_leaves_the_head():
    model = FrameModel(FrameModelSettings(image_size=64))
    freeze_stem(model, OptimizerSettings(freeze_stem=True))
    assert set(rates(model)) == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    "settings",
    [{"freeze_stem": True}, {"frozen_stem_blocks": 1}, {"stem_rate": 0.1}],
    ids=lambda s: next(iter(s)),
)
def test_settings_of_a_stem_are_refused_where_there_is_none(settings):
    (name,) = settings
    with pytest.raises(
        ConfigError, match=f"optimizer.{name} is for a convolutional stem, the model has none"
    ):
        freeze_stem(MaskedAutoencoder(VIDEO), OptimizerSettings(**settings))


def test_frozen_stem_has_no_rate():
    with pytest.raises(ValueError, match="freeze_stem freezes the whole stem"):
        OptimizerSettings(freeze_stem=True, stem_rate=0.1)


@pytest.mark.parametrize("objective", ["scratch", "ssat"])
def test_objective_reaches_the_stem_behind_its_frozen_blocks(objective):
    model = MaskedAutoencoder(HYBRID)
    freeze_stem(model, OptimizerSettings(frozen_stem_blocks=15))
    reached = _reached(model, objective)
    assert {name for name in reached if name.startswith("encoder.stem.")} == {
        name for name, _ in model.named_parameters() if name.startswith("encoder.stem.blocks.15.")
    }
