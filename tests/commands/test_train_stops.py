"""What ends a training before its time (signals, damage, bad weights): it goes on as if undisturbed."""

import errno
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from deepfake_ssat.clips.items import prepare_worker
from deepfake_ssat.commands.train import run
from deepfake_ssat.errors import OutputError, TrainingError
from deepfake_ssat.interruption import Terminated, sigterm_raises
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.training.callbacks import StateFiles, TrainingRows
from deepfake_ssat.training.module import TrainingModule
from deepfake_ssat.training.run_folder import RunFolder
from tests.commands.test_train import killed_after, same_run
from tests.manifests import make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config

REPOSITORY = Path(__file__).parents[2]
SIGNALS = [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A configuration, and the folder of its undisturbed run."""
    folder = tmp_path_factory.mktemp("calm")
    manifest = make_manifest(folder / "clips", tiny_videos(3, splits=("train", "val")), frames=16)
    values = tiny_values(manifest.root, optimizer={"ema_decay": 0.9}, trainer={"checkpoint_every_steps": 100})
    file = write_config(folder / "tiny.yaml", values)
    run(file, out=folder / "run")
    return file, folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_signal_is_answered_after_the_step_with_a_state(calm, tmp_path, monkeypatch, capsys, number, error):
    file, undisturbed = calm
    out = tmp_path / "run"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_start", sent_at_step(4, number))
        with pytest.raises(error):
            run(file, out=out)
    assert signal.getsignal(number) == before
    # Step 5 was under way; without a signal the only state is that of the epoch's end, step 3.
    assert RunFolder(out).position().step == 5
    assert "stopped; the same command goes on after step 5" in capsys.readouterr().out
    run(file, out=out)
    assert same_run(out, undisturbed)


def sent_at_step(step, number):
    start = TrainingRows.on_train_batch_start

    def send(self, trainer, *rest):
        start(self, trainer, *rest)
        if trainer.global_step == step:
            os.kill(os.getpid(), number)

    return send


@pytest.mark.slow
def test_signal_in_a_validation_does_not_wait_for_its_end(calm, tmp_path, monkeypatch):
    file, undisturbed = calm
    out = tmp_path / "run"
    validation_step = TrainingModule.validation_step
    steps = []

    def send(self, *rest):
        steps.append(os.kill(os.getpid(), signal.SIGTERM) if self.current_epoch else None)
        return validation_step(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "validation_step", send)
        with pytest.raises(Terminated):
            run(file, ["trainer.workers=1"], out=out)
    assert RunFolder(out).position().step == 3
    # They leave signals to this process, which would wait for them when it ends.
    assert multiprocessing.active_children() == []
    run(file, out=out)
    assert same_run(out, undisturbed)


@pytest.mark.slow
def test_signal_while_workers_start_ends_as_any_other(calm, tmp_path, monkeypatch):
    """Lightning's own clearing up fails then: it asks a loader that has not begun for its length."""
    file, undisturbed = calm
    begin = DataLoader.__iter__

    def send(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(DataLoader, "__iter__", send)
        with pytest.raises(Terminated), sigterm_raises():
            run(file, ["trainer.workers=1"], out=tmp_path / "run")
    assert multiprocessing.active_children() == []
    run(file, out=tmp_path / "run")
    assert same_run(tmp_path / "run", undisturbed)


@pytest.mark.slow
def test_signal_to_a_worker_that_starts_is_left_to_its_parent(calm, tmp_path, monkeypatch):
    """As one to the whole group, in the moment before the worker says so itself."""
    file, undisturbed = calm

    def prepare(worker_id):
        os.kill(os.getpid(), signal.SIGTERM)
        prepare_worker(worker_id)

    monkeypatch.setattr("deepfake_ssat.training.data.prepare_worker", prepare)
    run(file, ["trainer.workers=1"], out=tmp_path / "run")
    assert same_run(tmp_path / "run", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "word"), [(15, 143, "terminated"), (2, 130, "interrupted")])
def test_signal_to_the_whole_group_ends_in_one_line(calm, tmp_path, number, code, word):
    file, _ = calm
    options = ["--set", "trainer.workers=2", "--set", "trainer.epochs=500", "--out", tmp_path / "run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake_ssat", "train", file, *options],
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not RunFolder(tmp_path / "run").resume.exists():
        time.sleep(0.02)
    os.killpg(process.pid, number)
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (code, f"{word}\n")
    assert "stopped; the same command goes on after step" in printed


@pytest.mark.slow
def test_damaged_state_costs_only_the_steps_since_the_one_before(calm, tmp_path, monkeypatch, capsys):
    file, undisturbed = calm
    out, every = tmp_path / "run", ["trainer.checkpoint_every_steps=1"]
    killed_after(5, file, out, monkeypatch, every)
    folder = RunFolder(out)
    data = folder.resume.read_bytes()
    folder.resume.write_bytes(data[: len(data) // 2])
    assert folder.position().step == 3
    # A good state does not make room for the damaged one.
    killed_after(5, file, out, monkeypatch, every)
    folder.resume.write_bytes(b"")
    assert folder.position().step == 3
    run(file, out=out)
    assert "last.ckpt cannot be gone on from" in capsys.readouterr().out
    assert same_run(out, undisturbed)
    assert not folder.previous.exists()


@pytest.mark.slow
def test_weights_that_are_no_numbers_take_no_good_states_place(calm, tmp_path, monkeypatch):
    file, _ = calm
    out, every = tmp_path / "run", ["trainer.checkpoint_every_steps=1"]
    end = TrainingRows.on_train_batch_end

    def spoil(self, trainer, module, *rest):
        end(self, trainer, module, *rest)
        if trainer.global_step == 5:
            with torch.no_grad():
                module.model.head.weight.fill_(torch.nan)

    monkeypatch.setattr(TrainingRows, "on_train_batch_end", spoil)
    with pytest.raises(
        TrainingError, match=r"weight head\.weight is not finite after step 5: .*step 4, whose"
    ):
        run(file, changes=every, out=out)
    assert RunFolder(out).position().step == 4
    assert load_checkpoint(out / "checkpoints/best.safetensors").metrics["epoch"] == 1


def refuse(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
def test_state_that_finds_no_room_leaves_the_one_before(calm, tmp_path, monkeypatch):
    file, undisturbed = calm
    out, every = tmp_path / "run", ["trainer.checkpoint_every_steps=1"]
    killed_after(5, file, out, monkeypatch, every)
    assert RunFolder(out).position().step == 4
    with monkeypatch.context() as patch:
        patch.setattr("deepfake_ssat.training.callbacks.torch.save", refuse)
        with pytest.raises(OutputError, match=r"last.ckpt.* cannot be written \(No space left on device\)"):
            run(file, changes=every, out=out)
    assert RunFolder(out).position().step == 4
    assert {path.name for path in (out / "checkpoints").glob("*.ckpt*")} == {"last.ckpt", "previous.ckpt"}
    assert not list((out / "checkpoints").glob(".*"))
    # Nor does a state need room in the machine's temporary folder, where Lightning would make it.
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    run(file, out=out)
    assert same_run(out, undisturbed)


def test_state_of_many_weights_tells_of_the_disk_and_not_of_its_archive(tmp_path):
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most))
    try:
        with pytest.raises(OutputError, match=r"state.ckpt cannot be written \(File too large\)"):
            StateFiles().save_checkpoint({"weights": torch.zeros(100_000)}, tmp_path / "state.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["metrics_log.MetricsLog", "trackers.TensorBoard"])
def test_full_disk_ends_in_one_line(calm, tmp_path, monkeypatch, writer):
    file, _ = calm
    monkeypatch.setattr(f"deepfake_ssat.training.{writer}.write", refuse)
    with pytest.raises(OutputError, match=r"run cannot be written \(No space left on device\); make room"):
        run(file, out=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_picture_that_finds_no_room_is_not_passed_over(calm, tmp_path):
    file, _ = calm
    picture = RunFolder(tmp_path).reconstruction(1)
    picture.parent.mkdir()
    picture.symlink_to("/dev/full")
    (tmp_path / "config.yaml").write_bytes((calm[1] / "config.yaml").read_bytes())
    with pytest.raises(OutputError, match=r"epoch001.png cannot be written \(No space left on device\)"):
        run(file, out=tmp_path)
