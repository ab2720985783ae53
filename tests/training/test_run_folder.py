import json
import os
from pathlib import Path

import pytest
import torch
import yaml

from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import TextError, TrainingError
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training import run_folder
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.states import POSITION_KEY, Position
from tests.training.runs import tiny_values

path_mkdir = Path.mkdir
MLP_HEAD = {**tiny_values(Path("m"))["model"], "head": "mlp_batch_norm"}


def experiment(tmp_path, **changes):
    return Experiment.model_validate(tiny_values(tmp_path / "m", **changes))


@pytest.fixture
def begun(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(experiment(tmp_path), 1, "abc")
    return folder


def test_same_settings_may_go_on(begun, tmp_path):
    begun.check(experiment(tmp_path), 1, "abc")


def test_another_setting_is_refused_by_its_key(begun, tmp_path):
    with pytest.raises(TrainingError, match=r"optimizer.layer_decay 1.0, now it is 0.5; take another --out"):
        begun.check(experiment(tmp_path, optimizer={"layer_decay": 0.5}), 1, "abc")


def test_setting_that_is_newer_than_the_run_has_its_default(begun, tmp_path):
    stored = yaml.safe_load(begun.config.read_text())
    del stored["objective"]["simclr"], stored["model"]["head"]
    begun.config.write_text(yaml.safe_dump(stored))
    begun.check(experiment(tmp_path), 1, "abc")
    with pytest.raises(TrainingError, match=r"model\.head linear, now it is mlp_batch_norm"):
        begun.check(experiment(tmp_path, model=MLP_HEAD), 1, "abc")


def test_setting_that_is_gone_since_is_named(begun, tmp_path):
    stored = yaml.safe_load(begun.config.read_text())
    begun.config.write_text(yaml.safe_dump(stored | {"momentum": 0.9}))
    with pytest.raises(TrainingError, match=r"momentum 0\.9, now it is None"):
        begun.check(experiment(tmp_path), 1, "abc")


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer": {"workers": 3, "threads": 2}},
        {"trainer": {"log_every_steps": 7, "checkpoint_every_steps": 9, "reconstruction_samples": 0}},
        {"data": {"manifest": "/elsewhere/the_same_clips"}},
    ],
)
def test_what_changes_no_result_may_change(begun, tmp_path, changes):
    begun.check(experiment(tmp_path, **changes), 1, "abc")


def test_more_epochs_are_offered_and_taken_when_asked_for(begun, tmp_path):
    longer = experiment(tmp_path, trainer={"epochs": 5})
    with pytest.raises(TrainingError, match=r"epochs 2, now it is 5; --extend goes on"):
        begun.check(longer, 1, "abc")
    begun.check(longer, 1, "abc", extend=True)
    torch.save({POSITION_KEY: [1, 1, 4]}, begun.resume)
    begun.begin(longer, 1, "abc")
    begun.check(longer, 1, "abc")
    assert begun.extensions == [{"after_step": 4, "planned_epochs": 2}]


def test_fewer_epochs_are_refused(tmp_path):
    folder, no_warmup = RunFolder(tmp_path / "run"), {"optimizer": {"warmup_epochs": 0}}
    folder.begin(experiment(tmp_path, **no_warmup), 1, "abc")
    with pytest.raises(TrainingError, match=r"trainer.epochs 2, now it is 1; take another --out"):
        folder.check(experiment(tmp_path, trainer={"epochs": 1}, **no_warmup), 1, "abc", extend=True)


def test_finished_run_cannot_be_extended_and_its_weights_are_named(begun, tmp_path):
    begun.finish()
    with pytest.raises(TrainingError, match=r"finished .*init=.*last\.safetensors"):
        begun.check(experiment(tmp_path, trainer={"epochs": 5}), 1, "abc", extend=True)


@pytest.mark.slow
def test_other_processes_go_on_with_as_many_items_a_step(begun, tmp_path):
    with pytest.raises(
        TrainingError,
        match=r"started with 2 items a step \(1 process\(es\) x batch_size 2 x accumulate_batches 1\), now "
        r"they are 4 \(2 process\(es\) .*; set optimizer.batch_size and .* so that they are 2 again",
    ):
        begun.check(experiment(tmp_path), 2, "abc")
    torch.save({POSITION_KEY: [1, 4, 9, 2]}, begun.resume)
    other = experiment(tmp_path, optimizer={"batch_size": 1})
    for _ in range(2):
        begun.check(other, 2, "abc")
        begun.begin(other, 2, "abc")
    shape = {"processes": 1, "batch_size": 2, "accumulate_batches": 1}
    assert begun.regroupings == [{"after_step": 9, **shape}]
    with pytest.raises(TrainingError, match=r"2 items a step .*now they are 4"):
        begun.check(experiment(tmp_path, optimizer={"batch_size": 4}), 1, "abc")


def test_run_of_a_version_that_told_no_batches_goes_on_with_other_processes(begun, tmp_path):
    begun.facts.write_text(json.dumps({"processes": 2, "manifest_hash": "abc", "finished": False}))
    torch.save({POSITION_KEY: [1, 3, 9]}, begun.resume)
    assert begun.position() == Position(epoch=1, batch=3, step=9, batch_items=4)
    other = experiment(tmp_path, optimizer={"accumulate_batches": 2})
    begun.check(other, 1, "abc")
    begun.begin(other, 1, "abc")
    assert begun.position().first_batch(2) == 6


def test_changed_clips_are_refused(begun, tmp_path):
    with pytest.raises(TrainingError, match="manifest hash abc, now it is def"):
        begun.check(experiment(tmp_path), 1, "def")


def test_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(TrainingError, match=r"holds thesis.tex and no training run"):
        RunFolder(tmp_path).check(experiment(tmp_path), 1, None)


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", ["config.yaml", "run.json", "checkpoints"])
def test_folder_may_be_checked_and_begun_again_wherever_its_beginning_stopped(
    tmp_path, monkeypatch, killed_at
):
    folder = RunFolder(tmp_path / "run")

    def write(path, data):
        if path.name == killed_at:
            raise KeyboardInterrupt
        write_file(path, data)

    monkeypatch.setattr(run_folder, "write_file", write)
    monkeypatch.setattr(
        run_folder.Path,
        "mkdir",
        lambda path, **options: write(path, b"") if path.name == killed_at else path_mkdir(path, **options),
    )
    with pytest.raises(KeyboardInterrupt):
        folder.begin(experiment(tmp_path), 1, "abc")
    monkeypatch.undo()
    folder.check(experiment(tmp_path), 1, "abc")
    folder.begin(experiment(tmp_path), 1, "abc")
    folder.check(experiment(tmp_path), 1, "abc")
    with pytest.raises(TrainingError, match="was started with 2 items a step"):
        folder.check(experiment(tmp_path), 2, "abc")


def test_run_without_a_resume_state_begins_at_the_start(begun):
    assert begun.position() == Position(epoch=0, batch=0, step=0)


def test_position_is_read_from_the_resume_state(begun):
    torch.save({POSITION_KEY: [2, 1, 9, 4]}, begun.resume)
    assert begun.position() == Position(epoch=2, batch=1, step=9, batch_items=4)


def test_weights_kept_by_an_attempt_that_got_further_are_removed_when_the_run_goes_on(begun, tmp_path):
    for epoch in (1, 2, 3, 1000):
        begun.kept(epoch).touch()
    another = begun.kept(4).with_name("epoch004_of_mine.safetensors")
    another.touch()
    torch.save({POSITION_KEY: [2, 1, 9, 4]}, begun.resume)
    assert begun.kept_epochs == [1, 2, 3, 1000]
    begun.begin(experiment(tmp_path), 1, "abc")
    assert begun.kept_epochs == [1, 2]
    assert another.exists()


def test_finished_run_needs_no_resume_state(begun):
    begun.resume.touch()
    assert not begun.finished
    begun.finish()
    assert begun.finished
    assert not begun.resume.exists()


def test_state_before_a_damaged_one_is_taken_and_said(begun):
    torch.save({POSITION_KEY: [2, 1, 9], "weights": torch.ones(1000)}, begun.resume)
    torch.save({POSITION_KEY: [2, 0, 8], "weights": torch.ones(1000)}, begun.previous)
    whole = begun.resume.read_bytes()
    for damage in (whole[:-100], b"", flipped(whole, whole.index(b"\x00\x00\x80\x3f" * 9)), b"text"):
        begun.resume.write_bytes(damage)
        state = begun.state()
        assert (state.position.step, state.file) == (8, begun.previous)
        assert "last.ckpt cannot be gone on from" in state.warning
    begun.previous.write_bytes(whole[:500])
    with pytest.raises(TrainingError, match=r"last\.ckpt: is damaged .* remove it to train from the start"):
        begun.state()
    begun.resume.unlink()
    with pytest.raises(TrainingError, match=r"previous\.ckpt: is damaged"):
        begun.state()


def test_code_in_a_state_is_refused_and_not_run(begun, tmp_path):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({POSITION_KEY: [2, 1, 9], "more": Code()}, begun.resume)
    with pytest.raises(TrainingError, match="UnpicklingError: Weights only load failed"):
        begun.state()
    assert not (tmp_path / "made").exists()


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("name", ["run.json", "config.yaml"])
def test_damaged_record_of_a_run_is_one_line(begun, tmp_path, name):
    (begun.root / name).write_text('{"a": [')
    with pytest.raises(TextError, match=rf"{name}: is damaged"):
        begun.check(experiment(tmp_path), 1, "abc")
