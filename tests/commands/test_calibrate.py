"""calibrate end to end: the new checkpoint's verdicts hold the rates, and every verb uses its scaling."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands import calibrate, evaluate, model
from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.errors import ConfigError, ContractError, ManifestError
from deepfake_ssat.evaluation import evaluate as evaluation
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.inference.onnx_export import ProbabilityOfFake, noise_clips
from deepfake_ssat.manifest import people
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Status
from tests.inference.scripted import write_checkpoint
from tests.manifests import TinyVideo, make_manifest, tiny_videos

CONTRACT = ExtractionSettings(frames=16, crop_size=32)
SEEN = {"train": ["tiny/somebody"], "val": []}
PER_CLASS = 8


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    lost = DroppedVideo("tiny", "lost", "x.mp4", "val", FAKE, "Deepfakes", Status.NO_FACE, "none")
    videos = [*tiny_videos(PER_CLASS, ["val"]), TinyVideo("unknown/x", None, "val")]
    videos[0] = replace(videos[0], tracks=2)
    return make_manifest(tmp_path_factory.mktemp("manifest"), videos, frames=16, dropped=[lost])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, manifest):
    """Random weights, turned about where they take bright clips for genuine."""
    path = write_checkpoint(
        tmp_path_factory.mktemp("model") / "best.safetensors", contract=CONTRACT, provenance={"seen": SEEN}
    )
    report = evaluation.evaluate(path, manifest.root, selection=Selection(splits=("val",)), device="cpu")
    loaded = load_checkpoint(path)
    if report.groups[0].video["auc"].value < 0.5:
        state = loaded.model.state_dict()
        for name in ("head.weight", "head.bias"):
            state[name].copy_(state[name].flip(0))
        save_checkpoint(path, loaded)
    return path


def _calibrate(checkpoint, manifests, out, **options):
    assert calibrate.run(checkpoint, [one.root for one in manifests], out, device="cpu", **options) == 0
    return json.loads((out.with_name(f"{out.stem}_calibration") / "report.json").read_text())


def _lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(tmp_path_factory, checkpoint, manifest):
    path = tmp_path_factory.mktemp("calibrated") / "new.safetensors"
    _calibrate(checkpoint, [manifest], path)
    return path


@pytest.mark.slow
def test_new_checkpoint_has_the_same_weights_and_says_what_it_rests_on(out, checkpoint, manifest):
    old, new = load_checkpoint(checkpoint), load_checkpoint(out)
    for name, value in old.model.state_dict().items():
        assert value.equal(new.model.state_dict()[name])
    assert (new.settings, new.contract, new.metrics, new.provenance) == (
        old.settings,
        old.contract,
        old.metrics,
        old.provenance,
    )
    found = new.decision.calibration
    assert (found.false_alarms.videos, found.misses.videos) == (PER_CLASS, PER_CLASS)
    assert found.manifests == (manifest.hash,)
    assert found.splits == ("val",)
    assert found.checkpoint_sha256 == old.hash
    # No error is allowed of eight videos: 1 - 0.05 ** (1 / 8).
    assert found.false_alarms.upper_limit == pytest.approx(0.3123, abs=1e-4)
    assert found.false_alarms.errors == found.misses.errors == 0


@pytest.mark.slow
def test_evaluate_gives_the_calibrated_probabilities(out, manifest, tmp_path):
    evaluate.run(out, manifest.root, tmp_path, Selection(splits=("val",)), device="cpu")
    expected = {line["video_id"]: float(line["probability"]) for line in _lines(_folder(out) / "videos.csv")}
    found = {
        line["video_id"]: float(line["probability"])
        for line in _lines(tmp_path / "videos.csv")
        if line["label"] and line["status"] == "scored"
    }
    assert found == pytest.approx(expected, abs=2e-5)
    report = json.loads((tmp_path / "report.json").read_text())
    assert "calibrated on 8 genuine and 8 manipulated videos" in report["threshold"]["source"]
    assert report["threshold"]["value"] == load_checkpoint(out).decision.threshold


def _folder(out):
    return out.with_name(f"{out.stem}_calibration")


def test_verdicts_on_the_calibration_videos_hold_the_rates(out):
    lines = _lines(_folder(out) / "videos.csv")
    assert len(lines) == 2 * PER_CLASS
    assert not any(line["label"] == str(REAL) and line["verdict"] == "fake" for line in lines)
    assert not any(line["label"] == str(FAKE) and line["verdict"] == "real" for line in lines)


def test_report_tells_before_and_after(out):
    report = json.loads((_folder(out) / "report.json").read_text())
    decision = load_checkpoint(out).decision
    assert report["before"]["decision"]["temperature"] == 1.0
    assert report["after"]["decision"]["temperature"] == decision.temperature
    assert report["after"]["quality"]["auc"] == 1.0
    lines = _lines(_folder(out) / "videos.csv")
    # Eight videos that all are right make nobody surer than Platt's 9/10.
    fakes = [float(line["probability"]) for line in lines if line["label"] == str(FAKE)]
    assert np.mean(fakes) == pytest.approx(0.9, abs=0.03)
    labels = np.array([int(line["label"]) for line in lines])
    for side, column in (("before", "probability_before"), ("after", "probability")):
        scores = np.array([float(line[column]) for line in lines])
        assert report[side]["quality"]["brier"] == pytest.approx(np.mean((scores - labels) ** 2))
        assert sum(found["num_real"] + found["num_fake"] for found in report[side]["bins"]) == len(lines)
    assert report["meaning"] == decision.calibration.in_words()
    assert [video["video_id"] for video in report["dropped"]] == ["lost"]
    assert (_folder(out) / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert "too few to show 5 %: that takes 59" in (_folder(out) / "table.md").read_text()


def test_detector_and_exported_graph_scale_alike(out):
    detector = load_detector(out, "cpu")
    pixels = noise_clips(detector.checkpoint, 3)
    decision = detector.checkpoint.decision
    plain = replace(detector.checkpoint, decision=Decision())
    raw = ProbabilityOfFake(plain)(_tensor(pixels)).detach().numpy().astype(float)
    logits = np.log(raw / (1 - raw))
    expected = 1 / (1 + np.exp(-(logits / decision.temperature + decision.bias)))
    exported = ProbabilityOfFake(detector.checkpoint)(_tensor(pixels)).detach().numpy()
    assert exported == pytest.approx(expected, abs=1e-4)
    allowed = 1e-4 if detector.precision == "fp32" else 0.03
    assert detector.score(pixels) == pytest.approx(expected, abs=allowed)


def _tensor(pixels):
    import torch

    return torch.from_numpy(pixels)


def test_temperature_alone_leaves_the_bias(checkpoint, manifest, tmp_path):
    _calibrate(checkpoint, [manifest], tmp_path / "t.safetensors", method="temperature")
    decision = load_checkpoint(tmp_path / "t.safetensors").decision
    assert decision.bias == 0.0
    assert decision.calibration.method == "temperature"


@pytest.mark.slow
def test_rules_become_the_new_decisions(checkpoint, manifest, tmp_path):
    path = tmp_path / "new.safetensors"
    report = _calibrate(checkpoint, [manifest], path, clip_rule="median", face_rule="mean")
    aggregation = load_checkpoint(path).decision.aggregation
    assert (aggregation.clips, aggregation.faces) == ("median", "mean")
    assert report["scoring"]["aggregation"] == "median over a face's clips, mean over a video's faces"
    found = evaluation.evaluate(path, manifest.root, selection=Selection(splits=("val",)), device="cpu")
    assert found.threshold == load_checkpoint(path).decision.threshold
    stored = {line["video_id"]: float(line["probability"]) for line in _lines(_folder(path) / "videos.csv")}
    measured = {video.video_id: video.probability for video in found.videos if video.label is not None}
    assert measured == pytest.approx(stored, abs=2e-5)


@pytest.mark.slow
def test_calibrating_again_starts_from_the_logits(out, checkpoint, manifest, tmp_path):
    _calibrate(out, [manifest], tmp_path / "again.safetensors")
    first, second = load_checkpoint(out).decision, load_checkpoint(tmp_path / "again.safetensors").decision
    assert second.temperature == pytest.approx(first.temperature, rel=1e-3)
    assert second.threshold == pytest.approx(first.threshold, abs=1e-3)


@pytest.mark.slow
def test_same_command_again_scores_nothing_twice(out, checkpoint, manifest, capsys, monkeypatch):
    from deepfake_ssat.inference.backends import TorchScorer

    def never(*_):
        raise AssertionError("scored again")

    monkeypatch.setattr(TorchScorer, "score", never)
    before = load_checkpoint(out).decision
    _calibrate(checkpoint, [manifest], out)
    assert load_checkpoint(out).decision == before


@pytest.mark.slow
def test_genuine_and_manipulated_videos_may_come_from_two_manifests(checkpoint, manifest, tmp_path):
    videos = tiny_videos(PER_CLASS, ["val"])
    reals = make_manifest(tmp_path / "real", [one for one in videos if one.label == REAL], frames=16)
    fakes = make_manifest(tmp_path / "fake", [one for one in videos if one.label == FAKE], frames=16, seed=1)
    report = _calibrate(checkpoint, [reals, fakes], tmp_path / "new.safetensors")
    assert [part["sha256"] for part in report["manifests"]] == [reals.hash, fakes.hash]
    found = load_checkpoint(tmp_path / "new.safetensors").decision.calibration
    assert (found.false_alarms.videos, found.misses.videos) == (PER_CLASS, PER_CLASS)
    with pytest.raises(ConfigError, match=r"video tiny/.* is in .* and in .*; give it once"):
        calibrate.run(checkpoint, [reals.root, fakes.root, manifest.root], tmp_path / "x.safetensors")


def test_one_class_too_few_is_refused(checkpoint, tmp_path):
    videos = [*tiny_videos(6, ["val"])][:6] + tiny_videos(4, ["val"])[4:]
    manifest = make_manifest(tmp_path / "m", videos, frames=16)
    with pytest.raises(ConfigError, match="there are 4 manipulated videos to calibrate on, at least 5"):
        calibrate.run(checkpoint, [manifest.root], tmp_path / "new.safetensors", device="cpu")
    assert not (tmp_path / "new.safetensors").exists()


def test_people_that_the_model_was_trained_on_are_refused(manifest, tmp_path):
    row = manifest.rows[0]
    trained = write_checkpoint(
        tmp_path / "a.safetensors",
        contract=CONTRACT,
        provenance={"seen": {"train": people([row]), "val": []}},
    )
    with pytest.raises(ConfigError, match=rf"1 of 16 videos .* trained on, such as tiny/{row.video_id}"):
        calibrate.run(trained, [manifest.root], tmp_path / "new.safetensors", device="cpu")


@pytest.mark.slow
def test_people_that_chose_the_weights_are_warned_about(checkpoint, manifest, tmp_path):
    loaded = load_checkpoint(checkpoint)
    seen = {"train": [], "val": people(manifest.rows)}
    save_checkpoint(tmp_path / "a.safetensors", replace(loaded, provenance={"seen": seen}))
    report = _calibrate(tmp_path / "a.safetensors", [manifest], tmp_path / "new.safetensors")
    assert any("16 of 16 videos show people by whom" in warning for warning in report["warnings"])
    save_checkpoint(tmp_path / "b.safetensors", replace(loaded, provenance={}))
    report = _calibrate(tmp_path / "b.safetensors", [manifest], tmp_path / "other.safetensors")
    assert any("does not say whom it was trained on" in warning for warning in report["warnings"])


def test_scores_without_a_sign_are_refused(checkpoint, manifest, tmp_path):
    loaded = load_checkpoint(checkpoint)
    state = loaded.model.state_dict()
    for name in ("head.weight", "head.bias"):
        state[name].copy_(state[name].flip(0))
    save_checkpoint(tmp_path / "inverted.safetensors", loaded)
    with pytest.raises(ConfigError, match="do not tell fake from real"):
        calibrate.run(
            tmp_path / "inverted.safetensors", [manifest.root], tmp_path / "new.safetensors", device="cpu"
        )


def test_other_contract_and_empty_split_are_refused(checkpoint, manifest, tmp_path):
    other = write_checkpoint(
        tmp_path / "other.safetensors", contract=CONTRACT.model_copy(update={"margin": 0.5})
    )
    with pytest.raises(ContractError, match=r"margin is 0\.5"):
        calibrate.run(other, [manifest.root], tmp_path / "new.safetensors", device="cpu")
    with pytest.raises(ManifestError, match="no labelled clip with splits test"):
        calibrate.run(
            checkpoint,
            [manifest.root],
            tmp_path / "new.safetensors",
            Selection(splits=("test",)),
            device="cpu",
        )


def test_command_line_refuses_in_one_line(checkpoint, manifest):
    runner = CliRunner()
    result = runner.invoke(app, ["calibrate", str(checkpoint), str(manifest.root), "--out", str(checkpoint)])
    assert result.exit_code == 2
    assert "itself; give another path to write to" in result.output
    assert len(result.output.splitlines()) == 1
    result = runner.invoke(
        app, ["calibrate", str(checkpoint), str(manifest.root), "--out", "x", "--false-alarm-rate", "0.9"]
    )
    assert result.exit_code == 2


def test_model_shows_the_meaning(out, capsys):
    model.run(out)
    shown = capsys.readouterr().out
    assert "Calibrated on 8 genuine and 8 manipulated videos" in shown
    assert math.isfinite(load_checkpoint(out).decision.bias)
