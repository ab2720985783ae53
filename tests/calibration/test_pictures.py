"""calibrate on pictures: the fit by hand, what evaluate says by it, verdicts of fits on others, refusals."""

import csv
import json

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from typer.testing import CliRunner

from deepfake_ssat.calibration.crossfit import PARTS
from deepfake_ssat.calibration.pictures import calibrate_pictures
from deepfake_ssat.cli import app
from deepfake_ssat.config import ArrayFile
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.pictures import evaluate_pictures
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.provenance import typed_command
from tests.inference.scripted import write_checkpoint
from tests.models.tiny import IMAGE, changed

PICTURES = 60


def write_data(path, per_split=PICTURES, bright=True):
    """Noise around two greys that overlap: nobody can tell all of them apart."""
    arrays, generator = {}, np.random.default_rng(0)
    for split in ("train", "val", "test"):
        labels = np.arange(per_split) % 2
        grey = 90 + 40 * labels * bright + generator.normal(0, 25, per_split)
        noise = generator.normal(0, 20, (per_split, 32, 32, 3))
        arrays[f"{split}_images"] = np.clip(grey[:, None, None, None] + noise, 0, 255).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
    np.savez(path, **arrays)
    return path


def write_model(folder, settings=IMAGE, **data):
    source = ArrayFile(**{"path": "elsewhere.npz", **data}).model_dump(mode="json")
    provenance = {"config": {"data": source}, "objective": {"name": "ssat"}}
    return write_checkpoint(folder / "best.safetensors", settings, None, provenance=provenance)


def logits_of(path, data, split):
    """Second class minus first, and labels, as a plain loop would find them."""
    model = load_checkpoint(path)
    with np.load(data) as stored:
        images, labels = stored[f"{split}_images"], stored[f"{split}_labels"].ravel().astype(int)
    with torch.inference_mode():
        clips = normalize_pixels(torch.from_numpy(images)[:, None], model.settings)
        logits = model.model.classify(clips).double().numpy()
    return logits[:, 1] - logits[:, 0], labels


def turned(path):
    """The same model with its classes changed over."""
    loaded = load_checkpoint(path)
    state = loaded.model.state_dict()
    for name in ("head.weight", "head.bias"):
        state[name].copy_(state[name].flip(0))
    save_checkpoint(path, loaded)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "made_up.npz")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data):
    """Random weights, turned about where they take the second class for the first."""
    path = write_model(tmp_path_factory.mktemp("model"))
    logits, labels = logits_of(path, data, "val")
    if logits[labels == 1].mean() < logits[labels == 0].mean():
        turned(path)
    return path


def run(*words):
    return CliRunner().invoke(app, ["calibrate", *map(str, words), "--device", "cpu"])


@pytest.fixture(scope="module")
def out(tmp_path_factory, checkpoint, data):
    path = tmp_path_factory.mktemp("calibrated") / "new.safetensors"
    found = run(checkpoint, data, "--out", path, "--false-alarm-rate", "0.1", "--miss-rate", "0.1")
    assert found.exit_code == 0, found.output
    return path


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def folder(out):
    return out.with_name(f"{out.stem}_calibration")


@pytest.mark.slow
def test_scaling_is_that_of_a_fit_by_gradient(out, checkpoint, data):
    logits, labels = logits_of(checkpoint, data, "val")
    sure = (PICTURES / 2 + 1) / (PICTURES / 2 + 2)
    targets = np.where(labels == 1, sure, 1 - sure)

    def loss(values):
        scaled = values[0] * logits + values[1]
        return np.mean(np.logaddexp(0, scaled) - targets * scaled)

    slope, bias = minimize(loss, [0.1, 0.0], method="BFGS").x
    decision = load_checkpoint(out).decision
    assert 1 / decision.temperature == pytest.approx(slope, rel=1e-3)
    assert decision.bias == pytest.approx(bias, abs=1e-3)


@pytest.mark.slow
def test_cuts_hold_the_rates_and_say_by_class_what_they_mean(out, checkpoint, data):
    loaded, decision = load_checkpoint(checkpoint), load_checkpoint(out).decision
    found = decision.calibration
    assert found.classes == ("0", "1")
    assert (found.false_alarms.videos, found.misses.videos, found.splits) == (30, 30, ("val",))
    assert found.checkpoint_sha256 == loaded.hash
    assert max(found.false_alarms.errors, found.misses.errors) <= 3
    logits, labels = logits_of(checkpoint, data, "val")
    probabilities = 1 / (1 + np.exp(-(logits / decision.temperature + decision.bias)))
    assert found.false_alarms.errors == int((probabilities[labels == 0] >= decision.threshold).sum())
    assert found.misses.errors == int((probabilities[labels == 1] < decision.uncertain_low).sum())
    words = found.in_words()
    assert words.startswith("Calibrated on 30 class 0 and 30 class 1 pictures.")
    assert "video" not in words
    for name, value in loaded.model.state_dict().items():
        assert value.equal(load_checkpoint(out).model.state_dict()[name])


@pytest.mark.slow
def test_evaluate_gives_calibrated_probabilities_and_verdicts(out, data):
    decision, report = load_checkpoint(out).decision, evaluate_pictures(out, data, device="cpu")
    logits, labels = logits_of(out, data, "test")
    second = 1 / (1 + np.exp(-(logits / decision.temperature + decision.bias)))
    said = np.select(
        [second >= decision.uncertain_high, second < decision.uncertain_low],
        ["class 1", "class 0"],
        "uncertain",
    )
    assert [picture.verdict for picture in report.pictures] == said.tolist()
    expected = np.where(logits > 0, second, 1 - second)
    assert [one.probability for one in report.pictures] == pytest.approx(expected.tolist(), abs=1e-5)
    # What is right at first place does not hang on the calibration.
    assert report.top1.value == pytest.approx(np.mean((logits > 0) == labels))
    assert report.calibration == decision.calibration


def test_report_is_of_pictures(out, data):
    report = json.loads((folder(out) / "report.json").read_text())
    assert set(report["verdicts"]) == {"class 0", "class 1"}
    assert set(report["verdicts"]["class 0"]) == {"class 0", "class 1", "uncertain"}
    others = report["verdicts_of_others"]
    assert [sum(others[kind].values()) for kind in others] == [30, 30]
    assert report["after"]["decision"]["calibration"]["elsewhere"]["parts"] == PARTS
    assert report["after"]["quality"]["log_loss"] <= report["before"]["quality"]["log_loss"]
    assert report["data"]["path"] == str(data)
    assert "chose the checkpoint among its epochs" in report["warnings"][0]
    found = lines(folder(out) / "pictures.csv")
    assert [line["name"] for line in found] == [f"val/{index}" for index in range(PICTURES)]
    assert {line["verdict_of_others"] for line in found} <= {"class 0", "class 1", "uncertain"}
    # The command is the test run's own.
    page = (folder(out) / "table.md").read_text().replace(typed_command(), "")
    assert "video" not in page
    assert "too few to show 10 %" not in page
    assert (folder(out) / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_temperature_alone_and_another_split(checkpoint, data, tmp_path):
    path = tmp_path / "new.safetensors"
    report = calibrate_pictures(checkpoint, data, path, split="test", method="temperature", device="cpu")
    assert load_checkpoint(path).decision == report.after
    assert report.after.bias == 0.0
    assert report.warnings == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--split", "train"], "split train: the model was trained on these pictures"),
        (["--split", "val", "--split", "test"], "pictures are measured on one split; give one"),
        (["--clip-rule", "max"], "was trained on pictures, --clip-rule is of videos; leave it out"),
        (["--manipulation", "Deepfakes"], "--manipulation is of videos"),
        (["another.npz"], "was trained on one set of pictures; give one place, not 2"),
    ],
)
def test_wrong_requests_are_one_line(checkpoint, data, tmp_path, words, answer):
    found = run(checkpoint, data, "--out", tmp_path / "new.safetensors", *words)
    assert found.exit_code == 2
    assert answer in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "new.safetensors").exists()


def test_sets_and_models_that_cannot_be_calibrated_are_refused(checkpoint, data, tmp_path):
    out = tmp_path / "new.safetensors"
    (tmp_path / "many").mkdir()
    many = write_model(tmp_path / "many", changed(IMAGE, num_classes=7))
    with pytest.raises(ConfigError, match=r"tells 7 classes apart; a threshold .* lie between two"):
        calibrate_pictures(many, data, out, device="cpu")
    few = write_data(tmp_path / "few.npz", 8)
    with pytest.raises(ConfigError, match="there are 4 pictures of class 0 to calibrate on, at least 5"):
        calibrate_pictures(checkpoint, few, out, device="cpu")
    (tmp_path / "inverted").mkdir()
    inverted = tmp_path / "inverted/best.safetensors"
    save_checkpoint(inverted, load_checkpoint(checkpoint))
    turned(inverted)
    with pytest.raises(ConfigError, match="do not tell class 1 from class 0 cannot become probabilities"):
        calibrate_pictures(inverted, data, out, device="cpu")
    assert not out.exists()
