"""Whole analyses of small networks: on pictures, on face clips, several in a figure, and what is refused."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from deepfake_ssat.analysis.analyse import NO_BLOCKS, NO_CLASSIFIER, analyse
from deepfake_ssat.analysis.hessian import HessianSettings
from deepfake_ssat.cli import app
from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.errors import CheckpointError, ConfigError, ContractError
from deepfake_ssat.models.decision import Decision
from tests.inference.scripted import write_checkpoint
from tests.manifests import make_manifest, tiny_videos
from tests.models.tiny import IMAGE, VIDEO, changed

CONTRACT = ExtractionSettings(frames=16, crop_size=32)
SMALL = HessianSettings(batches=1, steps=6)
PICTURES = {"config": {"data": {"kind": "npz", "path": "elsewhere.npz"}}}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A picture set of three classes, and two networks of it: with other patches, one without labels."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 6), ("val", 24), ("test", 6)):
        arrays[f"{part}_images"] = generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count)[:, None] % 3
    np.savez(root / "pictures.npz", **arrays)
    three = changed(IMAGE, num_classes=3)
    write_checkpoint(root / "ssat.safetensors", three, contract=None, provenance=PICTURES)
    write_checkpoint(
        root / "mae.safetensors",
        changed(three, patch=16),
        contract=None,
        provenance=PICTURES | {"objective": {"name": "mae"}},
    )
    return root


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    make_manifest(root / "faces", tiny_videos(3, ["val"]), frames=16)
    write_checkpoint(root / "video.safetensors", VIDEO, contract=CONTRACT)
    return root


def run(*arguments):
    return CliRunner().invoke(app, ["analyse", *map(str, arguments)])


@pytest.mark.slow
def test_several_checkpoints_on_the_same_pictures(pictures, tmp_path):
    result = run(
        *("a=" + str(pictures / "ssat.safetensors"), pictures / "mae.safetensors"),
        *("--data", pictures / "pictures.npz", "--out", tmp_path, "--samples", 20),
        *("--hessian-steps", 6, "--show", "val/7"),
    )
    assert result.exit_code == 0, result.output
    figures = {file.name for file in tmp_path.glob("*.png")}
    assert figures == {
        *("attention_received.png", "attention_distance.png", "token_distance.png", "feature_variance.png"),
        *("hessian.png", "attention_maps.png", "grad_cam.png"),
    }
    report = json.loads((tmp_path / "analysis.json").read_text())
    first, second = report["checkpoints"]
    assert (first["name"], second["name"]) == ("a", "mae")
    assert report["samples"] == {"unit": "picture", "number": 20, "seed": 0}
    assert (first["blocks"]["grid"], second["blocks"]["grid"]) == ([1, 4, 4], [1, 2, 2])
    assert len(first["hessian"]["ritz"]) == 1
    assert second["hessian"] is None
    assert second["notes"] == [NO_CLASSIFIER]
    assert first["maps"][0]["name"] == "val/7"
    with (tmp_path / "tokens.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["checkpoint"] == "a" and line["block"] == "1"]
    assert [line["token"] for line in lines] == ["class", *map(str, range(16))]
    # Each of 17 tokens pays out 1.
    assert sum(float(line["received"]) for line in lines) == pytest.approx(17, abs=1e-3)
    assert "20 pictures" in (tmp_path / "analysis.md").read_text()


@pytest.mark.slow
def test_face_clips_look_in_time_as_well(clips, tmp_path):
    options = ["--out", tmp_path, "--samples", 4, "--hessian-steps", 6]
    result = run(clips / "video.safetensors", "--data", clips / "faces", *options)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "analysis.json").read_text())
    network = report["checkpoints"][0]
    distances = network["blocks"]["attention_distance"]
    # Two steps of two frames: who attends to all equally looks one frame away on average.
    assert distances["equal_attention"]["frames"] == 1.0
    assert 0.0 < distances["frames"][0][0] < 2.0
    assert network["hessian"]["parameters"] > 0
    assert network["hessian"]["batch_samples"] == 4
    assert "cross-entropy over 4 face clips" in (tmp_path / "analysis.md").read_text()
    assert len(network["maps"]) == 4
    assert {shown["class"] for shown in network["maps"]} == {"real", "fake"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_one_other_samples(clips):
    def measure(seed):
        report = analyse(
            {"video": clips / "video.safetensors"},
            clips / "faces",
            num_samples=3,
            hessian=SMALL,
            num_shown=3,
            batch=1 + seed,
            seed=seed,
        )
        return report.networks[0]

    first, again, other = measure(0), measure(0), measure(1)
    np.testing.assert_array_equal(first.blocks.received, again.blocks.received)
    np.testing.assert_array_equal(first.hessian.batches[0].values, again.hessian.batches[0].values)
    assert [shown.name for shown in first.maps] != [shown.name for shown in other.maps]


@pytest.mark.slow
def test_batches_change_no_number(clips):
    one, many = (
        analyse({"x": clips / "video.safetensors"}, clips / "faces", parts=["blocks"], batch=batch)
        .networks[0]
        .blocks
        for batch in (1, 4)
    )
    for name in ("received", "pixels", "frames", "token_distance", "feature_variance"):
        np.testing.assert_allclose(getattr(one, name), getattr(many, name), rtol=1e-5)


def test_only_what_is_asked_for_is_measured(clips):
    report = analyse({"x": clips / "video.safetensors"}, clips / "faces", parts=["maps"], num_shown=1)
    network = report.networks[0]
    assert network.blocks is None
    assert network.hessian is None
    assert network.maps[0].pixels.shape == (4, 32, 32, 3)
    assert network.maps[0].attention.shape == network.maps[0].grad_cam.shape == (2, 4, 4)


@pytest.mark.slow
def test_networks_without_plain_blocks_say_so(tmp_path, clips):
    timm = pytest.importorskip("timm")
    assert timm
    from deepfake_ssat.config import FrameClassifierSettings
    from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
    from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint

    settings = FrameClassifierSettings(backbone="efficientnet_lite0", image_size=32, frames=4, frames_used=2)
    save_checkpoint(
        tmp_path / "frames.safetensors", Checkpoint(FrameClassifier(settings), settings, CONTRACT)
    )
    report = analyse(
        {"frames": tmp_path / "frames.safetensors"}, clips / "faces", parts=["blocks", "maps"], num_shown=1
    )
    network = report.networks[0]
    assert network.notes == (NO_BLOCKS,)
    assert network.blocks is None
    assert network.maps[0].grad_cam.shape == (2, 1, 1)


def test_data_and_names_that_do_not_fit_are_refused(pictures, clips, tmp_path):
    video, picture = clips / "video.safetensors", pictures / "ssat.safetensors"
    with pytest.raises(ConfigError, match=r"--show nobody: the split has no such face clip; .* like tiny/"):
        analyse({"x": video}, clips / "faces", show=["nobody"])
    with pytest.raises(ConfigError, match="--only everything: choose among blocks, hessian, maps"):
        analyse({"x": video}, clips / "faces", parts=["everything"])
    with pytest.raises(ConfigError, match="give one --split"):
        analyse({"x": picture}, pictures / "pictures.npz", selection=Selection(splits=("val", "test")))
    write_checkpoint(tmp_path / "ten.safetensors", changed(IMAGE, num_classes=10), None, provenance=PICTURES)
    with pytest.raises(ConfigError, match=r"have 3 classes, the model of .*ten.safetensors 10"):
        analyse({"x": tmp_path / "ten.safetensors"}, pictures / "pictures.npz")
    write_checkpoint(tmp_path / "silent.safetensors", IMAGE, None)
    with pytest.raises(CheckpointError, match="does not say what pictures"):
        analyse({"x": tmp_path / "silent.safetensors"}, pictures / "pictures.npz")
    write_checkpoint(tmp_path / "other.safetensors", VIDEO, ExtractionSettings(frames=16, crop_size=64))
    with pytest.raises(ContractError, match="crop_size"):
        analyse({"x": tmp_path / "other.safetensors"}, clips / "faces")


def test_an_error_is_one_line(clips, tmp_path):
    result = run(clips / "video.safetensors", "--data", clips / "nowhere", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert len(result.output.splitlines()) == 1


def test_probability_of_a_class_is_the_checkpoints_decision(clips, tmp_path):
    found = []
    for name, decision in (("plain", Decision()), ("calibrated", Decision(temperature=4.0))):
        write_checkpoint(tmp_path / f"{name}.safetensors", VIDEO, CONTRACT, decision=decision)
        report = analyse(
            {name: tmp_path / f"{name}.safetensors"},
            clips / "faces",
            parts=["maps"],
            show=["tiny/original/c23/val0"],
        )
        found.append(report.networks[0].maps[0])
    odds = [shown.probability / (1 - shown.probability) for shown in found]
    assert found[0].label == "real"
    assert np.log(odds[0]) == pytest.approx(4 * np.log(odds[1]), rel=1e-4)
