"""evaluate on pictures: top-1, top-5 and classes counted by hand, on the split that was asked for."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.config import ArrayFile, ModelSettings
from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.evaluation import pictures
from deepfake_ssat.evaluation.pictures import evaluate_pictures
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.protocols.runs import PictureRun, read_evaluation
from deepfake_ssat.reporting import picture_report
from deepfake_ssat.reporting.documents import write_files
from tests.inference.scripted import write_checkpoint
from tests.models.tiny import IMAGE, changed

CLASSES = 7


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """12 noisy pictures a split, class 5 in none of them but train."""
    arrays, generator = {}, np.random.default_rng(0)
    for split in ("train", "val", "test"):
        labels = np.arange(12) % CLASSES
        labels[labels == 5] = 5 if split == "train" else 6
        arrays[f"{split}_images"] = generator.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "made_up.npz"
    np.savez(path, **arrays)
    return path


def write(folder, settings: ModelSettings | None = None, objective: str = "ssat", **data):
    """A checkpoint that says it was trained on an npz."""
    source = ArrayFile(**{"path": "elsewhere.npz", **data}).model_dump(mode="json")
    return write_checkpoint(
        folder / "best.safetensors",
        settings or changed(IMAGE, num_classes=CLASSES),
        None,
        provenance={
            "command": "train tiny.yaml",
            "config": {"data": source},
            "objective": {"name": objective},
        },
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write(tmp_path_factory.mktemp("model"))


def test_top_one_top_five_and_classes_are_counted_as_by_hand(checkpoint, data):
    report = evaluate_pictures(checkpoint, data, device="cpu", batch=5)
    with np.load(data) as stored:
        images, labels = stored["test_images"], stored["test_labels"].ravel().astype(int)
    model = load_checkpoint(checkpoint)
    with torch.inference_mode():
        clips = normalize_pixels(torch.from_numpy(images)[:, None], model.settings)
        logits = model.model.classify(clips).numpy()
    order = np.argsort(-logits, axis=1)
    first = [label == row[0] for label, row in zip(labels, order, strict=True)]
    five = [label in row[:5] for label, row in zip(labels, order, strict=True)]
    assert report.top1.value == pytest.approx(np.mean(first))
    assert report.top5.value == pytest.approx(np.mean(five))
    for label, one in enumerate(report.classes):
        its = [right for right, own in zip(first, labels, strict=True) if own == label]
        assert (one.name, one.pictures) == (str(label), len(its))
        assert one.top1.value == (pytest.approx(np.mean(its)) if its else None)
    assert report.classes[5].top1.note == "no picture"
    assert (report.auc.value, report.auc.note) == (None, "the set has 7 classes")
    whole = torch.from_numpy(logits).softmax(dim=1).numpy()
    for number, picture in enumerate(report.pictures):
        assert picture.predicted == str(order[number, 0])
        assert picture.probability == pytest.approx(whole[number].max(), abs=1e-5)
        assert picture.rank == 1 + order[number].tolist().index(labels[number])


def test_two_classes_have_an_auc_that_compare_reads_too(tmp_path):
    generator = np.random.default_rng(4)
    labels = np.arange(40) % 2
    images = generator.integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    arrays = {
        f"{split}_{name}": value
        for split in ("train", "val", "test")
        for name, value in (("images", images), ("labels", labels[:, None]))
    }
    np.savez(tmp_path / "two.npz", **arrays)
    path = write(tmp_path, changed(IMAGE, num_classes=2))
    report = evaluate_pictures(path, tmp_path / "two.npz", device="cpu")
    model = load_checkpoint(path)
    with torch.inference_mode():
        logits = model.model.classify(normalize_pixels(torch.from_numpy(images)[:, None], model.settings))
    area = roc_auc_score(labels, (logits[:, 1] - logits[:, 0]).numpy())
    assert report.auc.value == pytest.approx(area)
    assert report.auc.low < area < report.auc.high
    write_files(tmp_path / "out", picture_report.files(report))
    assert json.loads((tmp_path / "out/report.json").read_text())["auc"]["value"] == report.auc.value
    run = read_evaluation(tmp_path / "out")
    assert isinstance(run, PictureRun)
    assert roc_auc_score(labels, [picture.second for picture in run.pictures.values()]) == pytest.approx(area)


def test_compare_reads_what_is_written(checkpoint, data, tmp_path):
    report = evaluate_pictures(checkpoint, data, perspective=0.5, device="cpu")
    write_files(tmp_path / "out", picture_report.files(report))
    run = read_evaluation(tmp_path / "out")
    assert isinstance(run, PictureRun)
    assert run.seen == "npz, split test, perspective 0.5, seed 0"
    assert run.classes == tuple(map(str, range(CLASSES)))
    assert np.mean([picture.rank == 1 for picture in run.pictures.values()]) == report.top1.value
    assert np.mean([picture.rank <= 5 for picture in run.pictures.values()]) == report.top5.value
    assert list(run.labels.values()) == [picture.label for picture in report.pictures]
    assert run.settings is not None


def test_split_is_the_one_asked_for_and_doubts_are_told(checkpoint, data):
    test, val, train = (
        evaluate_pictures(checkpoint, data, split=split, device="cpu") for split in ("test", "val", "train")
    )
    assert [one.pictures[0].name for one in (test, val, train)] == ["test/0", "val/0", "train/0"]
    assert test.warnings == ()
    assert "chose the best epoch" in val.warnings[0]
    assert "trained on these pictures" in train.warnings[0]


def test_watched_test_split_is_doubted(tmp_path, data):
    (warning,) = evaluate_pictures(write(tmp_path, train_on_val=True), data, device="cpu").warnings
    assert "chose the best epoch" in warning


def test_perspective_changes_pictures_by_its_seed(checkpoint, data):
    def ranks(**options):
        found = evaluate_pictures(checkpoint, data, device="cpu", **options)
        return [picture.probability for picture in found.pictures]

    assert ranks(perspective=0.5) == ranks(perspective=0.5, batch=3)
    assert ranks(perspective=0.5) != ranks(perspective=0.5, seed=1)
    assert ranks(perspective=0.5) != ranks()


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"split": "dev"}, "split dev: pictures have train, val, test"),
        ({"perspective": 1.5}, r"perspective is 1\.5; give more than 0"),
        ({"data": "nowhere.npz"}, r"nowhere\.npz: no such file"),
    ],
)
def test_wrong_requests_are_one_line(checkpoint, data, options, answer):
    with pytest.raises(ConfigError, match=answer):
        evaluate_pictures(checkpoint, **{"data": data, "device": "cpu", **options})


def test_models_that_cannot_be_measured_are_refused(tmp_path, data):
    with pytest.raises(CheckpointError, match="pre-trained without labels"):
        evaluate_pictures(write(tmp_path, objective="mae"), data)
    with pytest.raises(CheckpointError, match="does not say what pictures"):
        evaluate_pictures(write_checkpoint(tmp_path / "other.safetensors", IMAGE, None), data)
    with pytest.raises(ConfigError, match="has 7 classes, the model 3"):
        evaluate_pictures(write(tmp_path, changed(IMAGE, num_classes=3)), data)


def run(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def test_command_writes_tables_for_people_and_programs(checkpoint, data, tmp_path):
    found = run(checkpoint, data, "--out", tmp_path, "--split", "val", "--device", "cpu")
    assert found.exit_code == 0, found.output
    report = json.loads((tmp_path / "report.json").read_text())
    measured = evaluate_pictures(checkpoint, data, split="val", device="cpu")
    assert (report["pictures"], report["top1"]) == (12, asdict(measured.top1))
    assert report["data"]["path"] == str(data)
    assert report["scoring"] == {"split": "val", "perspective": None, "seed": 0}
    assert (tmp_path / "classes.csv").read_text().splitlines()[6] == "5,0,,,"
    assert (tmp_path / "pictures.csv").read_text().count("\n") == 13
    assert "warning: these pictures chose the best epoch" in (tmp_path / "table.md").read_text()
    assert "top-5" in found.stdout


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--perturb", "blur"], "was trained on pictures, --perturb is of videos"),
        (["--compression", "c23"], "was trained on pictures, --compression is of videos"),
        (["--split", "val", "--split", "test"], "--split val, test: pictures are measured on one split"),
    ],
)
def test_options_of_videos_are_refused(checkpoint, data, tmp_path, words, answer):
    found = run(checkpoint, data, "--out", tmp_path / "out", *words)
    assert found.exit_code == 2
    assert answer in found.stderr
    assert not (tmp_path / "out").exists()


def test_perspective_is_refused_for_a_model_of_videos(tmp_path):
    found = run(
        write_checkpoint(tmp_path / "v.safetensors"), tmp_path, "--out", tmp_path / "out", "--perspective", 1
    )
    assert found.exit_code == 2
    assert "--perspective is of pictures" in found.stderr


def test_of_many_classes_the_worst_are_shown(checkpoint, data, monkeypatch):
    monkeypatch.setattr(picture_report, "CLASSES_SHOWN", 3)
    _, shown = picture_report.tables(evaluate_pictures(checkpoint, data, device="cpu"))
    assert shown.title.startswith("The 3 worst of 7 classes")
    assert "5" not in [row[0] for row in shown.rows]
    assert pictures.TOP == 5


def test_more_than_two_classes_have_no_verdict(checkpoint, data):
    report = evaluate_pictures(checkpoint, data, device="cpu")
    assert {picture.verdict for picture in report.pictures} == {None}
    assert report.calibration is None
