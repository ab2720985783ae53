"""Weights of timm's backbones and of the DFDC winner's release, in small: what matches, and what is told."""

from functools import partial

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.baselines.initial import load_backbone_weights
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.models.pretrained import load_initial_weights
from tests.models import refusals
from tests.models.baselines.test_networks import changed_cross, network
from tests.models.baselines.tiny import BACKBONE, CROSS, FRAME
from tests.models.test_pretrained import random_model
from tests.models.tiny import VIDEO


def timm_model(num_classes: int):
    torch.manual_seed(7)
    return timm.create_model(BACKBONE, num_classes=num_classes).eval()


def same(module, theirs) -> bool:
    ours = module.state_dict()
    return all(torch.equal(value, ours[name]) for name, value in theirs.items() if name in ours)


refusal = partial(refusals.refusal, load_backbone_weights)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_timms_file_starts_the_backbone_and_leaves_the_head(tmp_path, suffix):
    weights = timm_model(10).state_dict()
    path = tmp_path / f"weights.{suffix}"
    save_file(weights, path) if suffix == "safetensors" else torch.save(weights, path)
    model = network(FRAME)
    head = model.head.weight.clone()
    lines = load_backbone_weights(model, path)
    assert same(model.backbone, weights)
    assert torch.equal(model.head.weight, head)
    own = len(model.backbone.state_dict())
    assert lines[0] == f"{own} of {own + 2} weights come from {path}"
    assert f"backbone: {own} of {own} weights of the file" in lines
    assert "head: left as initialised, it is (10, 256) in the file and (2, 256) here" in lines
    assert "2 weights of the file have no place here: classifier.bias, classifier.weight" in lines


def test_head_for_as_many_classes_is_taken(tmp_path):
    theirs = timm_model(2)
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "two.pth")
    model = network(FRAME).eval()
    assert "head: from classifier" in load_backbone_weights(model, tmp_path / "two.pth")
    clips = torch.randn(1, 3, 4, 32, 32)
    with torch.inference_mode():
        expected = (theirs(clips[:, :, 1]) + theirs(clips[:, :, 3])) / 2
        torch.testing.assert_close(model(clips), expected)


def test_dfdc_winners_release_gives_its_own_probabilities(tmp_path):
    # A training checkpoint without an ending: DataParallel's names, an unused classifier, one logit of fake.
    encoder, fully_connected = timm_model(1000), torch.nn.Linear(256, 1)
    names = {f"module.encoder.{name}": value for name, value in encoder.state_dict().items()}
    names |= {f"module.fc.{name}": value for name, value in fully_connected.state_dict().items()}
    path = tmp_path / "final_classifier_0_36"
    torch.save({"epoch": 36, "state_dict": names, "bce_best": np.float64(0.25)}, path)
    model = network(FRAME).eval()
    lines = load_backbone_weights(model, path)
    own = len(model.backbone.state_dict())
    assert f"backbone: {own} of {own} weights of the file under encoder" in lines
    assert "head: from fc, a single logit of fake; real has the constant 0" in lines
    frames = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        theirs = fully_connected(encoder.forward_features(frames).mean(dim=(2, 3))).sigmoid()[:, 0]
        torch.testing.assert_close(model.classify_frames(frames).softmax(dim=1)[:, 1], theirs)


def test_both_branches_of_a_cross_efficient_vit_start_from_one_file(tmp_path):
    weights = timm_model(10).state_dict()
    torch.save({"model": weights}, tmp_path / "weights.pth")
    model = network(CROSS)
    lines = load_backbone_weights(model, tmp_path / "weights.pth")
    assert same(model.small.backbone, weights)
    assert same(model.large.backbone, weights)
    whole, part = (len(branch.backbone.state_dict()) for branch in (model.small, model.large))
    assert part < whole
    assert f"large.backbone: {part} of {part} weights of the file" in lines


def test_file_without_counters_of_batch_normalisation_is_whole(tmp_path):
    weights = {
        name: value for name, value in timm_model(10).state_dict().items() if "num_batches" not in name
    }
    torch.save(weights, tmp_path / "old.pth")
    model = network(FRAME)
    load_backbone_weights(model, tmp_path / "old.pth")
    assert same(model.backbone, weights)


@pytest.mark.parametrize("settings", [FRAME, CROSS], ids=lambda settings: settings.kind)
def test_own_checkpoint_starts_all_of_it(settings, tmp_path):
    torch.manual_seed(5)
    trained = build_network(settings)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, Checkpoint(trained, settings))
    model = network(settings)
    count = len(model.state_dict())
    assert load_backbone_weights(model, path) == [f"{count} of {count} weights come from {path}"]
    assert same(model, trained.state_dict())
    other = build_network(settings.model_copy(update={"num_classes": 3}))
    lines = load_backbone_weights(other, path)
    assert any("left as initialised, it is (2," in line for line in lines)


def test_files_of_other_networks_are_refused(tmp_path):
    other = timm.create_model("test_resnet", num_classes=2).state_dict()
    torch.save(other, tmp_path / "resnet.pth")
    assert "set model.backbone" in refusal(network(FRAME), tmp_path / "resnet.pth")
    wide = timm_model(2).state_dict()
    wide["conv_stem.weight"] = torch.zeros(99, 3, 3, 3)
    torch.save(wide, tmp_path / "wide.pth")
    assert "conv_stem.weight is (99, 3, 3, 3), the model's is" in refusal(
        network(FRAME), tmp_path / "wide.pth"
    )
    part = timm_model(2).state_dict()
    del part["bn1.weight"]
    torch.save(part, tmp_path / "part.pth")
    assert "has no bn1.weight" in refusal(network(FRAME), tmp_path / "part.pth")
    torch.save({"something": torch.zeros(2)}, tmp_path / "strange.pth")
    assert f"none of its 1 weights is one of timm's {BACKBONE}" in refusal(
        network(FRAME), tmp_path / "strange.pth"
    )


def test_checkpoints_of_another_kind_are_refused_in_both_directions(tmp_path):
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, Checkpoint(network(FRAME), FRAME))
    message = "holds a model of kind frame_classifier, the configuration's is"
    assert f"{message} cross_efficient_vit" in refusal(network(CROSS), path)
    with pytest.raises(CheckpointError, match=f"{message} masked_autoencoder"):
        load_initial_weights(random_model(VIDEO, 1), path)
    save_checkpoint(path, Checkpoint(network(CROSS), CROSS))
    other = network(changed_cross(rounds=1))
    assert "weights of the file have no place here: rounds.1." in load_backbone_weights(other, path)[-1]
    save_checkpoint(path, Checkpoint(other, other.settings))
    assert "has no rounds.1." in refusal(network(CROSS), path)


def test_code_in_a_pickle_is_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"state_dict": {"conv_stem.weight": Payload()}}, tmp_path / "evil.pth")
    assert "cannot be read as weights" in refusal(network(FRAME), tmp_path / "evil.pth")
    assert not (tmp_path / "executed").exists()
