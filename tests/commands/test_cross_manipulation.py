"""cross-manipulation: the right videos in training and judging, resumed, merged, refused when mixed up."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from deepfake_ssat.commands import compare, cross_manipulation
from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.manifest import people
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.protocols.folds import plan_folds, settings_of
from deepfake_ssat.records import FAKE, DroppedVideo, Status
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config

METHODS = ("Deepfakes", "FaceSwap", "NeuralTextures")
FEW = {"epochs": 1, "log_every_steps": 5, "reconstruction_samples": 0}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = tiny_videos(1)
    for name in METHODS[1:]:
        videos += [video for video in tiny_videos(1, manipulation=name) if video.label == FAKE]
    # Another corpus in the same folder: its originals are no match for the fakes that are judged.
    videos += [TinyVideo("actors/c23/x", 0, corpus="other")]
    lost = DroppedVideo(
        "tiny", "FaceSwap/c23/lost", "x.mp4", "test", FAKE, "FaceSwap", Status.NO_FACE, "none", "c23"
    )
    return make_manifest(tmp_path_factory.mktemp("clips"), videos, frames=8, clip_frames=4, dropped=[lost])


@pytest.fixture(scope="module")
def config(tmp_path_factory, manifest):
    values = tiny_values(manifest.root, trainer=FEW, optimizer={"warmup_epochs": 0})
    values["trainer"] = tiny_values(manifest.root)["trainer"] | FEW
    return write_config(tmp_path_factory.mktemp("config") / "tiny.yaml", values)


@pytest.fixture(scope="module")
def out(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("out")
    assert cross_manipulation.run(config, folder) == 0
    return folder


def _fold(out, name):
    return json.loads((out / "folds" / name / "fold.json").read_text())


def _lines(folder):
    return list(csv.DictReader((folder / "table.csv").read_text().splitlines()))


def _copy(out, tmp_path):
    """The folds without their trainings, as somebody would carry them to another machine."""
    for name in METHODS:
        target = tmp_path / "folds" / name
        target.mkdir(parents=True)
        shutil.copy(out / "folds" / name / "fold.json", target)
    return tmp_path


@pytest.mark.slow
def test_every_manipulation_is_held_out_of_training_and_validation(out, manifest):
    for held_out in METHODS:
        weights = load_checkpoint(out / "folds" / held_out / "train" / "checkpoints" / "best.safetensors")
        used = [row for row in manifest.rows if row.manipulation != held_out]
        for split in ("train", "val"):
            rows = [row for row in used if row.split == split]
            assert weights.provenance["seen"][split] == people(rows)


@pytest.mark.slow
def test_fold_is_judged_on_what_it_held_out_and_on_originals_of_that_corpus(out):
    fold = _fold(out, "FaceSwap")
    assert {video["name"] for video in fold["videos"]} == {
        "tiny/original/c23/test0",
        "tiny/FaceSwap/c23/test0",
    }
    assert (fold["num_real"], fold["num_fake"], fold["dropped_real"], fold["dropped_fake"]) == (1, 1, 0, 1)
    assert fold["trained_on"] == ["Deepfakes", "NeuralTextures"]


def test_table_has_every_fold_and_says_that_the_data_are_not_the_papers(out):
    lines = _lines(out)
    assert {line["held_out"] for line in lines} == {*METHODS, "mean"}
    text = (out / "table.md").read_text()
    assert "warning: tiny: not the data of the paper's Table 8" in text
    assert (out / "table.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "table.json").read_text())["columns"] == list(METHODS)


def test_finished_folds_are_not_run_again(out, config, monkeypatch):
    room = "deepfake_ssat.protocols.cross_manipulation"
    monkeypatch.setattr(f"{room}.train_experiment", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(f"{room}.evaluate", lambda *_, **__: pytest.fail("judged again"))
    assert cross_manipulation.run(config, out) == 0


def test_fold_that_is_trained_but_not_judged_is_only_judged(out, config, tmp_path, capsys):
    shutil.copytree(out, tmp_path / "out")
    file = tmp_path / "out" / "folds" / "FaceSwap" / "fold.json"
    before = json.loads(file.read_text())
    file.unlink()
    assert cross_manipulation.run(config, tmp_path / "out", hold_out=["FaceSwap"]) == 0
    assert "this run is finished" in capsys.readouterr().out
    after = json.loads(file.read_text())
    assert after["metrics"] == before["metrics"]
    assert after["checkpoint_sha256"] == before["checkpoint_sha256"]


@pytest.mark.slow
def test_folds_of_several_machines_are_merged_without_weights_or_data(out, config, tmp_path):
    folder = _copy(out, tmp_path)
    change = ["data.manifest=/nowhere", "trainer.workers=7"]
    assert cross_manipulation.run(config, folder, change, merge_only=True) == 0
    assert (folder / "table.csv").read_text() == (out / "table.csv").read_text()


def test_merging_nothing_is_refused(config, tmp_path):
    with pytest.raises(ConfigError, match="holds no finished fold"):
        cross_manipulation.run(config, tmp_path, merge_only=True)


@pytest.mark.parametrize("merge_only", [True, False])
def test_fold_of_another_experiment_is_refused(out, config, tmp_path, merge_only):
    folder = _copy(out, tmp_path)
    with pytest.raises(ConfigError, match=r"was run with model\.encoder\.depth 2, .* has 1"):
        cross_manipulation.run(config, folder, ["model.encoder.depth=1"], merge_only=merge_only)


def test_fold_judged_on_another_split_is_refused(out, config, tmp_path):
    folder = _copy(out, tmp_path)
    with pytest.raises(ConfigError, match="was judged with judged selection"):
        cross_manipulation.run(config, folder, split="val")


def test_folds_of_different_data_are_not_merged(out, config, tmp_path):
    file = _copy(out, tmp_path) / "folds" / "FaceSwap" / "fold.json"
    file.write_text(file.read_text().replace('"manifest_sha256": "', '"manifest_sha256": "0'))
    with pytest.raises(ConfigError, match="its manifest is 0"):
        cross_manipulation.run(config, tmp_path, merge_only=True)


def test_weights_that_were_not_the_judged_ones_are_refused(out, config, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    folds = tmp_path / "out" / "folds"
    weights = "train/checkpoints/best.safetensors"
    shutil.copy(folds / "FaceSwap" / weights, folds / "Deepfakes" / weights)
    with pytest.raises(ConfigError, match="was judged with checkpoint"):
        cross_manipulation.run(config, tmp_path / "out")


def test_manipulation_that_is_not_there_is_refused_by_name(config, tmp_path):
    with pytest.raises(ConfigError, match="no Nonsense in split test to judge; it has Deepfakes, FaceSwap"):
        cross_manipulation.run(config, tmp_path, hold_out=["Nonsense"])


def test_several_processes_are_asked_for_one_fold(config, tmp_path, monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="one --hold-out of Deepfakes, FaceSwap, NeuralTextures"):
        cross_manipulation.run(config, tmp_path)


def test_without_other_manipulations_there_is_nothing_to_train_on(config, tmp_path):
    change = ["data.train.manipulations=[FaceSwap]"]
    with pytest.raises(ConfigError, match="leaves no fakes to train on"):
        cross_manipulation.run(config, tmp_path, change)


def test_manipulation_outside_the_training_data_can_be_held_out(config, manifest, tmp_path):
    experiment = load_experiment(config, ["data.train.manipulations=[Deepfakes, FaceSwap]"])
    (fold,) = plan_folds(manifest, experiment.data, "test", ["NeuralTextures"], tmp_path)
    assert fold.trained_on == ("Deepfakes", "FaceSwap")


def test_settings_name_initial_weights_by_what_is_in_them(config, tmp_path):
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"other")):
        (tmp_path / name).write_bytes(content)
    same, again, other = (
        settings_of(load_experiment(config, [f"init={tmp_path / name}"]), ["X"]) for name in "abc"
    )
    assert same == again
    assert same != other


def test_pictures_have_no_manipulations_to_hold_out(tmp_path):
    config = Path(__file__).parents[2] / "configs" / "image_ssat_pneumoniamnist.yaml"
    with pytest.raises(ConfigError, match="held-out folds need face_clips"):
        cross_manipulation.run(config, tmp_path)


def test_compare_puts_methods_into_rows(out, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _copy(out, tmp_path / name)
    assert compare.run([tmp_path / "one", tmp_path / "two"], tmp_path / "table") == 0
    lines = _lines(tmp_path / "table")
    assert {line["method"] for line in lines} == {"tiny (one)", "tiny (two)"}
    with pytest.raises(ConfigError, match="holds no finished fold"):
        compare.run([tmp_path / "table"], tmp_path / "x")
