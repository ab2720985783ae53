"""Folders that transformers loads: the same logits, nothing missing, and honest refusals."""

import json

import numpy as np
import pytest
import torch

from deepfake_ssat.commands.export import run
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.inference import huggingface_export
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.pretrained import load_initial_weights
from tests.models.test_parity import randomized
from tests.models.tiny import HYBRID, IMAGE, VIDEO, changed

CONTRACT = ExtractionSettings(frames=4, crop_size=32)


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def written(folder, settings, contract=None, **provenance):
    """A checkpoint file with random weights, norms and biases too."""
    torch.manual_seed(4)
    model = randomized(MaskedAutoencoder(settings), seed=4)
    path = folder / "model.safetensors"
    save_checkpoint(path, Checkpoint(model, settings, contract, provenance=provenance))
    return path


def pixels(settings, count=2):
    shape = (count, settings.frames, settings.image_size, settings.image_size, settings.channels)
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def logits_of(path, shown):
    checkpoint = load_checkpoint(path)
    with torch.no_grad():
        return checkpoint.model.classify(normalize_pixels(torch.from_numpy(shown), checkpoint.settings))


@pytest.mark.slow
@pytest.mark.parametrize("qkv_bias", ["qkv", "qv", "none"])
def test_videomae_loads_it_with_the_same_logits(transformers, tmp_path, capsys, qkv_bias):
    settings = changed(VIDEO, qkv_bias=qkv_bias)
    path = written(tmp_path, settings, CONTRACT)
    assert run(path, tmp_path / "hub", "huggingface") == 0
    assert "config.json, model.safetensors, preprocessor_config.json; largest" in capsys.readouterr().out
    network, info = transformers.VideoMAEForVideoClassification.from_pretrained(
        tmp_path / "hub", output_loading_info=True
    )
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    shown = pixels(settings)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "hub")
    inputs = processor([list(clip) for clip in shown], return_tensors="pt")
    with torch.no_grad():
        theirs = network.eval()(**inputs).logits
    ours = logits_of(path, shown)
    assert ours.abs().max() > 0.1
    torch.testing.assert_close(theirs, ours, rtol=0.0, atol=1e-4)
    assert network.config.id2label == {0: "real", 1: "fake"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"qkv_bias": "none"},
        {"qkv_bias": "qv", "num_classes": 10},
        {"channels": 1, "mean": (0.5,), "std": (0.2,), "norm_eps": 1e-3, "positions": "sincos_1d"},
    ],
)
def test_vit_loads_it_with_the_same_logits(transformers, tmp_path, changes):
    settings = changed(IMAGE, **changes)
    path = written(tmp_path, settings)
    run(path, tmp_path / "hub", "huggingface")
    network, info = transformers.ViTForImageClassification.from_pretrained(
        tmp_path / "hub", output_loading_info=True
    )
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    shown = pixels(settings)
    mean, std = torch.tensor(settings.mean), torch.tensor(settings.std)
    inputs = ((torch.from_numpy(shown[:, 0]) / 255.0 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        theirs = network.eval()(inputs).logits
    torch.testing.assert_close(theirs, logits_of(path, shown), rtol=0.0, atol=1e-4)
    assert len(network.config.id2label) == settings.num_classes


@pytest.mark.parametrize("settings", [VIDEO, IMAGE])
def test_what_was_exported_starts_a_training_again(transformers, tmp_path, settings):
    path = written(tmp_path, settings)
    run(path, tmp_path / "hub", "huggingface")
    model = MaskedAutoencoder(settings).eval()
    load_initial_weights(model, tmp_path / "hub")
    shown = pixels(settings)
    with torch.no_grad():
        again = model.classify(normalize_pixels(torch.from_numpy(shown), settings))
    torch.testing.assert_close(again, logits_of(path, shown))


def test_the_folder_says_how_faces_are_cut_and_when_they_are_fake(transformers, tmp_path):
    path = written(tmp_path, VIDEO, CONTRACT)
    run(path, tmp_path / "hub", "huggingface")
    kept = json.loads((tmp_path / "hub" / "config.json").read_text())["deepfake_ssat"]
    assert kept["extraction_contract"]["crop_size"] == 32
    assert kept["decision"]["threshold"] == 0.5
    assert kept["checkpoint_sha256"] == load_checkpoint(path).hash


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "provenance", "reason"),
    [
        (HYBRID, {}, "its stem efficientnet_lite0 stands before the tokens; export it to ONNX"),
        (changed(VIDEO, pooling="class_token"), {}, "4 frames by a class token"),
        (changed(VIDEO, positions="sincos_3d"), {}, "the model has sincos_3d"),
        (changed(VIDEO, position_grid=(8, 14, 14)), {}, r"of \(8, 14, 14\)"),
        (VIDEO, {"objective": {"name": "mae"}}, "trained without labels; fine-tune it first"),
    ],
)
def test_what_transformers_does_not_have_is_refused(tmp_path, settings, provenance, reason):
    path = written(tmp_path, settings, **provenance)
    with pytest.raises(CheckpointError, match=f"transformers has no such network: .*{reason}"):
        run(path, tmp_path / "hub", "huggingface")
    assert not (tmp_path / "hub").exists()


def test_other_logits_are_refused_and_nothing_is_written(transformers, tmp_path, monkeypatch):
    path = written(tmp_path, VIDEO)
    right = huggingface_export.weights
    monkeypatch.setattr(
        huggingface_export,
        "weights",
        lambda model: {name: value * 1.01 for name, value in right(model).items()},
    )
    with pytest.raises(CheckpointError, match=r"logits in transformers differ by .*nothing was written"):
        run(path, tmp_path / "hub", "huggingface")
    assert not (tmp_path / "hub").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(transformers, tmp_path):
    path = written(tmp_path, VIDEO)
    (tmp_path / "hub").write_text("")
    with pytest.raises(OutputError, match="is a file; give a folder"):
        run(path, tmp_path / "hub", "huggingface")


def test_the_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, VIDEO)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs transformers: .*deepfake-ssat\[hub\]"):
        run(path, tmp_path / "hub", "huggingface")
