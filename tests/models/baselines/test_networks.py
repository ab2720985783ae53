"""The two baselines: shapes, parity with timm, gradients, checkpoints, layers."""

import pytest
import timm
import torch
from pydantic import ValidationError

from deepfake_ssat.config import (
    BranchSettings,
    CrossEfficientVitSettings,
    FrameClassifierSettings,
    ObjectiveSettings,
)
from deepfake_ssat.config.extraction import ExtractionSettings
from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.models.attention import attend_by_products
from deepfake_ssat.models.baselines.backbone import spread_frames
from deepfake_ssat.models.baselines.cross_efficient_vit import Exchange
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.training.optim import freeze_unused, parameter_groups
from tests.models.baselines.tiny import BACKBONE, CROSS, FRAME

BOTH = pytest.mark.parametrize("settings", [FRAME, CROSS], ids=lambda settings: settings.kind)


def network(settings):
    torch.manual_seed(0)
    return build_network(settings)


def clips_for(settings, count=2):
    side = settings.image_size
    shape = (count, settings.channels, settings.frames, side, side)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@BOTH
def test_logits_have_one_row_a_clip_and_every_weight_a_gradient(settings):
    model = network(settings).train()
    logits = model(clips_for(settings))
    assert logits.shape == (2, 2)
    logits.square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
    freeze_unused(model, ObjectiveSettings.model_validate({"name": "scratch"}))
    assert all(value.requires_grad for value in model.parameters())


def test_frame_classifier_is_the_mean_of_timms_logits():
    model = network(FRAME).eval()
    theirs = timm.create_model(BACKBONE, num_classes=2).eval()
    own = {f"backbone.{name}": name for name in model.backbone.state_dict()}
    own |= {"head.weight": "classifier.weight", "head.bias": "classifier.bias"}
    theirs.load_state_dict({own[name]: value for name, value in model.state_dict().items()})
    clips = clips_for(FRAME)
    with torch.inference_mode():
        expected = (theirs(clips[:, :, 1]) + theirs(clips[:, :, 3])) / 2
        torch.testing.assert_close(model(clips), expected)


def test_frames_are_the_middles_of_equal_parts():
    settings = changed_frames(16, 4)
    clips = torch.arange(16.0).reshape(1, 1, 16, 1, 1).expand(2, 3, 16, 32, 32)
    assert spread_frames(clips, settings)[:, 0, 0, 0].tolist() == [2, 6, 10, 14] * 2
    assert spread_frames(clips, changed_frames(16, 16))[:, 0, 0, 0].tolist() == list(range(16)) * 2


def changed_frames(frames, used):
    return FrameClassifierSettings(backbone=BACKBONE, frames=frames, frames_used=used, image_size=32)


def test_clip_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"clips are \(1, 3, 5, 32, 32\), the model reads"):
        network(FRAME)(torch.zeros(1, 3, 5, 32, 32))


def test_class_token_looks_at_itself_and_at_the_other_branch():
    torch.manual_seed(0)
    exchange = Exchange(6, 8, heads=2)
    own, other = torch.randn(2, 1, 6), torch.randn(2, 5, 8)
    entered = exchange.norm(exchange.enter(own))
    key, value = exchange.key_value(torch.cat([entered, other], dim=1)).chunk(2, dim=-1)
    heads = [x.reshape(2, -1, 2, 4).transpose(1, 2) for x in (exchange.query(entered), key, value)]
    torch.testing.assert_close(exchange(own, other), own + exchange.leave(attend_by_products(*heads)))


def test_branches_read_the_maps_of_their_strides():
    small, large = network(CROSS).feature_maps(torch.zeros(1, 3, 64, 64))
    assert small.shape == (1, 256, 2, 2)
    assert large.shape == (1, 24, 16, 16)
    assert network(CROSS).large.tokens(large).shape == (1, 1 + 16, 24)


def test_published_sizes_are_the_defaults():
    with torch.device("meta"):
        model = build_network(CrossEfficientVitSettings())
    assert model.small.embed.in_features == 1280 * 7 * 7
    assert model.large.embed.in_features == 24 * 56 * 56


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 48}, "image_size 48 is not a multiple of the 32 pixels under a patch of small"),
        ({"cross_heads": 5}, "small width 16 is not a multiple of cross_heads 5"),
        ({"frames_used": 5}, "frames_used 5 is more than the clip's frames 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        changed_cross(**change)


def changed_cross(**changes):
    return CrossEfficientVitSettings.model_validate(CROSS.model_dump() | changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (FrameClassifierSettings(backbone="tf_eficientnet_b7"), "did you mean tf_efficientnet_b7"),
        (changed_cross(backbone="test_resnet"), "model.backbone test_resnet is no EfficientNet"),
        (
            changed_cross(large=BranchSettings(stride=64, patch=1, width=24, depth=1, heads=2, mlp_width=8)),
            "no map with stride 64; it has 2, 4, 8, 16, 32",
        ),
    ],
)
def test_backbone_that_cannot_be_used_is_named_in_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_network(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@BOTH
def test_checkpoint_comes_back_and_passes_its_self_test(settings, tmp_path):
    model = network(settings).train()
    model(clips_for(settings))
    contract = ExtractionSettings(frames=4, crop_size=32)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, Checkpoint(model, settings, contract))
    loaded = load_checkpoint(path, decoder=False)
    assert (loaded.kind, loaded.settings) == (settings.kind, settings)
    before, after = model.state_dict(), loaded.model.state_dict()
    assert {name: value.dtype for name, value in before.items()} == {
        name: value.dtype for name, value in after.items()
    }
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    clips = clips_for(settings)
    # Same weights at other addresses: older builds of torch then sum in another order.
    torch.testing.assert_close(loaded.model(clips), model.eval()(clips), atol=1e-5, rtol=1e-5)


def test_changed_running_statistics_fail_the_self_test(tmp_path, monkeypatch):
    from deepfake_ssat.models import checkpoint, self_test

    path = tmp_path / "best.safetensors"
    model = network(FRAME)
    with torch.no_grad():
        model.head.weight.mul_(30)
    monkeypatch.setattr(self_test, "SELF_TEST_TOLERANCE", 1e-6)
    save_checkpoint(path, Checkpoint(model, FRAME))
    read = checkpoint._read

    def damaged(*given):
        header, state = read(*given)
        state["backbone.bn1.running_mean"] += 1.0
        return header, state

    monkeypatch.setattr(checkpoint, "_read", damaged)
    monkeypatch.setattr(checkpoint, "_check_sums", lambda *_: None)
    with pytest.raises(CheckpointError, match="self-test failed"):
        load_checkpoint(path)


def test_tables_that_are_no_weights_are_computed_again(tmp_path):
    settings = FrameClassifierSettings(backbone="test_vit4", frames=1, frames_used=1, image_size=160)
    path = tmp_path / "best.safetensors"
    model = network(settings).eval()
    save_checkpoint(path, Checkpoint(model, settings))
    clips = clips_for(settings, 1)
    assert torch.equal(load_checkpoint(path).model(clips), model(clips))


@BOTH
def test_layers_count_from_the_pixels_to_the_head(settings):
    model = network(settings)
    numbers = model.layer_numbers()
    behind = [name for name, _ in model.named_parameters() if name not in numbers]
    assert behind
    assert all(".head" in f".{name}" for name in behind)
    place = "backbone" if settings is FRAME else "small.backbone"
    chain = [
        f"{place}.conv_stem.weight",
        f"{place}.blocks.0.0.conv.weight",
        f"{place}.blocks.4.0.conv_pw.weight",
    ]
    if settings is CROSS:
        chain += ["small.embed.weight", "rounds.0.small_blocks.0.mlp.fc1.weight"]
        chain += ["rounds.1.small_exchanges.0.query.weight"]
    chain = [name for name in chain if name in numbers]
    assert len(chain) >= 3
    assert [numbers[name] for name in chain] == sorted(numbers[name] for name in chain)
    assert numbers[chain[0]] == 0
    groups = parameter_groups(model, 0.05, 0.5, 1.0)
    listed = [id(value) for group in groups for value in group["params"]]
    assert sorted(listed) == sorted(id(value) for value in model.parameters())
    rates = {id(value): group["lr"] for group in groups for value in group["params"]}
    depth = max(numbers.values())
    assert rates[id(model.get_parameter(chain[0]))] == pytest.approx(0.5 ** (depth + 1))
    assert rates[id(model.get_parameter(behind[0]))] == 1.0


def test_learned_positions_and_class_tokens_do_not_decay():
    model = network(CROSS)
    undecayed = {
        id(value)
        for group in parameter_groups(model, 0.05, 1.0, 1.0)
        for value in group["params"]
        if not group["weight_decay"]
    }
    for branch in (model.small, model.large):
        assert {id(branch.positions), id(branch.class_token)} <= undecayed


@BOTH
def test_evidence_is_gradient_times_map_by_finite_differences(settings):
    model = network(settings).eval()
    clips = clips_for(settings, 1)
    with torch.inference_mode():
        evidence = model.evidence_map(clips)
    model = model.double()
    maps = model.feature_maps(spread_frames(clips.double(), settings))
    assert evidence.shape == (1, 2, *maps[0].shape[2:])

    def difference(scale):
        scaled = maps[0].detach().clone()
        scaled[1, :, 0, 0] *= scale
        logits = model.classify_maps((scaled, *maps[1:])).mean(dim=0)
        return float((logits[1] - logits[0]).detach())

    expected = (difference(1 + 1e-5) - difference(1 - 1e-5)) / 2e-5
    assert float(evidence[0, 1, 0, 0]) == pytest.approx(max(expected, 0.0), abs=1e-4)


def test_absent_timm_is_told_with_the_extra_that_brings_it(monkeypatch, tmp_path):
    from deepfake_ssat.models import timm_library

    path = tmp_path / "best.safetensors"
    save_checkpoint(path, Checkpoint(network(FRAME), FRAME))
    monkeypatch.setattr(timm_library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"cannot be built here: .*deepfake-ssat\[train\]"):
        load_checkpoint(path)
