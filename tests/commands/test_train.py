import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from safetensors.torch import load_file

from deepfake_ssat.commands.train import run
from deepfake_ssat.errors import CheckpointError, ConfigError, ManifestError, TrainingError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.training.experiment import LOCK_FILE
from deepfake_ssat.training.run_folder import RunFolder
from tests.manifests import make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("clips"), tiny_videos(3, splits=("train", "val")), frames=16)


@pytest.fixture
def config(tmp_path, manifest):
    def write(**changes):
        return write_config(tmp_path / "tiny.yaml", tiny_values(manifest.root, **changes))

    return write


class Run(NamedTuple):
    """A configuration, and the folder that it was trained into."""

    config: Path
    folder: Path
    printed: str = ""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("finished")
    file = write_config(folder / "tiny.yaml", tiny_values(manifest.root, seed=8))
    with redirect_stdout(StringIO()) as printed:
        assert run(file, changes=["seed=3"], out=folder / "run") == 0
    return Run(write_config(file, tiny_values(manifest.root)), folder / "run", printed.getvalue())


@pytest.fixture(scope="module")
def pre_trained(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("mae")
    file = write_config(folder / "mae.yaml", tiny_values(manifest.root, objective={"name": "mae"}))
    run(file, out=folder / "run")
    return Run(file, folder / "run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, manifest):
    """With averaged weights, mixup and a state after every step: what killed runs are compared with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    values = tiny_values(
        manifest.root,
        optimizer={"ema_decay": 0.9},
        augmentation={"mixup": 0.5},
        trainer={"checkpoint_every_steps": 1},
    )
    file = write_config(folder / "tiny.yaml", values)
    run(file, out=folder / "run")
    return Run(file, folder / "run")


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def same_weights(left, right):
    first, second = load_file(left), load_file(right)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def same_run(left, right):
    files = [f"checkpoints/{name}.safetensors" for name in ("best", "last")]
    return rows(left) == rows(right) and all(same_weights(left / file, right / file) for file in files)


@pytest.mark.slow
def test_run_folder_has_everything(finished, manifest):
    out = finished.folder
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {
        "config.yaml",
        "run.json",
        "metrics.csv",
        "train.log",
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "reconstructions/epoch001.png",
        "reconstructions/epoch002.png",
    } <= names
    assert any(name.startswith("tensorboard/") for name in names)
    assert "checkpoints/last.ckpt" not in names
    assert "weights: " in finished.printed

    steps = [row for row in rows(out) if row["loss"]]
    validations = [row for row in rows(out) if row["val_loss"]]
    assert [int(row["step"]) for row in steps] == [1, 2, 3, 4, 5, 6]
    assert [int(row["epoch"]) for row in validations] == [1, 2]
    assert float(validations[1]["val_loss"]) < float(validations[0]["val_loss"])

    checkpoint = load_checkpoint(out / "checkpoints" / "best.safetensors")
    assert checkpoint.contract == manifest.contract
    assert checkpoint.metrics["val_video_auc"] == float(validations[-1]["val_video_auc"])
    provenance = checkpoint.provenance
    assert provenance["manifest_hash"] == manifest.hash
    assert provenance["config"]["seed"] == yaml.safe_load((out / "config.yaml").read_text())["seed"] == 3
    assert provenance["objective"]["name"] == "ssat"
    assert "tiny/original/c23/train0" in provenance["seen"]["train"]


def test_finished_run_says_so_and_trains_nothing(finished, capsys):
    before = (finished.folder / "metrics.csv").read_bytes()
    # Killed before the states of an unfinished run were removed.
    left = RunFolder(finished.folder).previous
    left.touch()
    assert run(finished.config, out=finished.folder) == 0
    assert "this run is finished" in capsys.readouterr().out
    assert (finished.folder / "metrics.csv").read_bytes() == before
    assert not left.exists()


def test_another_config_on_the_same_folder_is_refused(finished):
    with pytest.raises(TrainingError, match=r"seed 3, now it is 4"):
        run(finished.config, changes=["seed=4"], out=finished.folder)


def test_folder_in_which_another_process_trains_is_refused(config, tmp_path):
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / LOCK_FILE), pytest.raises(TrainingError, match="another run"):
        run(config(), out=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["mae", "ssat_visible", "supmae"])
def test_every_objective_trains_and_its_loss_falls(config, tmp_path, objective, pre_trained):
    out = tmp_path / "run"
    if objective == "mae":
        out = pre_trained.folder
    else:
        run(config(objective={"name": objective}), out=out)
    losses = [float(row["val_loss"]) for row in rows(out) if row["val_loss"]]
    assert losses[1] < losses[0]
    assert (out / "reconstructions").exists()


@pytest.mark.slow
def test_every_option_together_trains(config, tmp_path):
    out = tmp_path / "run"
    changes = {
        "optimizer": {
            "accumulate_batches": 2,
            "ema_decay": 0.5,
            "clip_gradient_norm": 1.0,
            "layer_decay": 0.75,
        },
        "augmentation": {"name": "dfdc", "random_erasing": 0.5, "mixup": 0.8},
        "data": {"balanced_sampling": True},
        "trainer": {"epochs": 3, "validate_every_epochs": 2, "workers": 1},
    }
    run(config(**changes), out=out)
    # Three batches an epoch are a step of two and a step of one; the last epoch is validated as well.
    assert [int(row["step"]) for row in rows(out) if row["loss"]] == [1, 2, 3, 4, 5, 6]
    assert [int(row["epoch"]) for row in rows(out) if row["val_loss"]] == [2, 3]


@pytest.mark.slow
def test_averaged_weights_are_validated_and_saved(config, tmp_path, finished):
    run(config(optimizer={"ema_decay": 0.9}), out=tmp_path / "averaged")
    plain, averaged = rows(finished.folder), rows(tmp_path / "averaged")
    assert [row["loss"] for row in plain] == [row["loss"] for row in averaged]
    assert [row["val_loss"] for row in plain] != [row["val_loss"] for row in averaged]
    last = "checkpoints/last.safetensors"
    assert not same_weights(finished.folder / last, tmp_path / "averaged" / last)


@pytest.mark.slow
def test_pictures_are_trained_on_by_the_same_command(config, tmp_path):
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 12), ("val", 6)):
        labels = np.arange(count) % 3
        noise = generator.integers(0, 40, (count, 16, 16))
        arrays[f"{split}_images"] = (noise + 80 * labels[:, None, None]).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    np.savez(tmp_path / "set.npz", **arrays)
    values = tiny_values(tmp_path) | {"data": {"kind": "npz", "path": str(tmp_path / "set.npz")}}
    values["model"] |= {"frames": 1, "tubelet": 1, "image_size": 16, "patch": 4, "num_classes": 3}
    run(write_config(tmp_path / "image.yaml", values), out=tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run/checkpoints/best.safetensors")
    assert checkpoint.contract is None
    assert 0 <= checkpoint.metrics["val_image_accuracy"] <= 1
    values["model"]["num_classes"] = 2
    with pytest.raises(ConfigError, match=r"3 classes, the model 2; set model\.num_classes=3"):
        run(write_config(tmp_path / "wrong.yaml", values), out=tmp_path / "other")


@pytest.mark.slow
def test_fine_tuning_starts_from_pre_trained_weights_and_remembers_whom_they_saw(
    config, tmp_path, capsys, pre_trained
):
    init, out = pre_trained.folder / "checkpoints" / "best.safetensors", tmp_path / "fine"
    run(config(init=str(init), objective={"name": "scratch"}), out=out)
    assert "weights come from" in capsys.readouterr().out
    provenance = load_checkpoint(out / "checkpoints/best.safetensors").provenance
    assert "tiny/original/c23/train0" in provenance["seen"]["train"]
    (before,) = provenance["before"]
    assert (before["objective"], before["epochs"]) == ("mae", 2)
    assert before["manifest_hash"] == provenance["manifest_hash"] is not None
    losses = [float(row["val_loss"]) for row in rows(out) if row["val_loss"]]
    assert losses[1] < losses[0]
    assert not (out / "reconstructions").exists()


@pytest.mark.slow
def test_fine_tuning_after_supmae_starts_from_its_encoder_with_a_new_linear_classifier(
    config, tmp_path, capsys
):
    before, out = tmp_path / "supmae", tmp_path / "fine"
    supmae = {"name": "supmae", "classification_weight": 0.01}
    pooled = tiny_values(tmp_path)["model"] | {"pooling": "patch_mean"}
    short = {"optimizer": {"warmup_epochs": 0}, "trainer": {"epochs": 1}}
    run(config(objective=supmae, model=pooled | {"head": "mlp_batch_norm"}, **short), out=before)
    init = before / "checkpoints/last.safetensors"
    capsys.readouterr()
    run(config(init=str(init), objective={"name": "scratch"}, model=pooled, **short), out=out)
    printed = " ".join(capsys.readouterr().out.split())
    assert "head: left as initialised, the file has no complete one" in printed
    assert "encoder: left" not in printed
    fitting = load_file(init).keys() & load_file(out / "checkpoints/last.safetensors").keys()
    assert any(name.startswith("encoder.") for name in fitting)
    assert not any(name.startswith("head.") for name in fitting)


def test_pre_trained_weights_are_no_detector(pre_trained):
    checkpoint = load_checkpoint(pre_trained.folder / "checkpoints/best.safetensors")
    with pytest.raises(CheckpointError, match="pre-trained without labels"):
        checkpoint.require_contract()


@pytest.mark.slow
def test_diverging_run_stops_in_one_line_and_keeps_its_weights(config, tmp_path, monkeypatch):
    from deepfake_ssat.training.module import TrainingModule

    losses = TrainingModule._losses

    def diverge(self, *rest):
        found = losses(self, *rest)
        return replace(found, total=found.total / 0.0) if self.training and self.current_epoch == 1 else found

    monkeypatch.setattr(TrainingModule, "_losses", diverge)
    with pytest.raises(
        TrainingError,
        match=r"the loss became inf in epoch 2, batch 1, after step 3, on tiny/\S+, tiny/\S+: training",
    ):
        run(config(), out=tmp_path / "run")
    assert load_checkpoint(tmp_path / "run/checkpoints/best.safetensors").metrics["epoch"] == 1


def test_missing_manifest_is_named(config, tmp_path):
    with pytest.raises(ManifestError, match="nowhere"):
        run(config(), changes=[f"data.manifest={tmp_path / 'nowhere'}"], out=tmp_path / "run")


@pytest.mark.slow
def test_damaged_clip_is_named_in_one_line_from_a_worker(tmp_path, config):
    damaged = make_manifest(tmp_path / "clips", tiny_videos(2, splits=("train", "val")), frames=16)
    (damaged.root / damaged.rows[0].clip_file).write_bytes(b"not a video")
    with pytest.raises(ManifestError, match=r"track000_00.mp4") as error:
        run(config(trainer={"workers": 1}), changes=[f"data.manifest={damaged.root}"], out=tmp_path / "run")
    assert "\n" not in str(error.value)


def killed_after(step, file, out, monkeypatch, changes=()):
    """Trains until a step is complete and its row written, but not its state."""
    from deepfake_ssat.training.callbacks import TrainingRows

    write_row = TrainingRows.on_train_batch_end

    def die(self, trainer, *rest):
        write_row(self, trainer, *rest)
        if trainer.global_step == step:
            raise MemoryError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_end", die)
        with pytest.raises(MemoryError):
            run(file, changes=changes, out=out)


@pytest.mark.slow
@pytest.mark.parametrize(("last_step", "workers"), [(1, 0), (3, 0), (5, 1)])
def test_run_killed_at_any_step_repeats_the_undisturbed_one(
    undisturbed, tmp_path, monkeypatch, last_step, workers
):
    file, out = undisturbed.config, tmp_path / "killed"
    killed_after(last_step, file, out, monkeypatch, ["trainer.checkpoint_every_steps=2"])
    assert run(file, changes=[f"trainer.workers={workers}"], out=out) == 0
    assert same_run(out, undisturbed.folder)


@pytest.mark.slow
def test_stopped_run_goes_on_to_more_epochs_at_the_longer_runs_rates(undisturbed, tmp_path, monkeypatch):
    file, out, longer = undisturbed.config, tmp_path / "run", ["trainer.epochs=4"]
    killed_after(5, file, out, monkeypatch)
    with pytest.raises(TrainingError, match="--extend goes on"):
        run(file, changes=longer, out=out)
    run(file, changes=longer, out=out, extend=True)
    steps = [row for row in rows(out) if row["loss"]]
    assert [int(row["epoch"]) for row in steps] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    # The peak 0.2 x 2 / 256 after 3 steps of warm-up, then half a cosine over the 3 or 9 steps left.
    # The first step after the stop has the rate that was kept for it.
    floor, peak = 1e-6, 0.2 * 2 / 256
    for step, length in ((4, 3), (5, 9), (11, 9)):
        wanted = floor + (peak - floor) * (1 + math.cos(math.pi * (step - 3) / length)) / 2
        assert float(steps[step]["learning_rate"]) == pytest.approx(wanted, rel=1e-6)
    provenance = load_checkpoint(out / "checkpoints/last.safetensors").provenance
    assert provenance["extensions"] == [{"after_step": 4, "planned_epochs": 2}]


@pytest.fixture(scope="module")
def processes(tmp_path_factory, manifest, undisturbed):
    """Two processes of torchrun that trained together; then one trained alone and was killed with SIGKILL.

    Importing takes most of a process's time: what needs processes of its own shares them. Rank 1's weights
    are written by a hook, and compared with those that rank 0 saved. The kill falls on the run's fourth
    state, while it is written beside the third.
    """
    folder = tmp_path_factory.mktemp("processes")
    values = tiny_values(manifest.root, trainer={"checkpoint_every_steps": 1})
    file = write_config(folder / "two.yaml", values)
    script = folder / "two.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script), str(folder), str(file), str(undisturbed.config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    ready, deadline = folder / "writing", time.monotonic() + 240
    while not ready.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if ready.is_file():
        os.kill(int(ready.read_text()), signal.SIGKILL)
    else:
        process.kill()
    assert "SIGKILL" in process.communicate()[1]
    return folder


SCRIPT = """
import os, sys, time, torch
from pathlib import Path
from deepfake_ssat.commands.train import run
from deepfake_ssat.training.module import TrainingModule

folder, together, alone = map(Path, sys.argv[1:])

def save(self):
    torch.save(self.model.state_dict(), folder / f"rank{self.global_rank}.pt")

TrainingModule.on_train_end = save
run(together, out=folder / "together")
if os.environ["RANK"] == "0":
    for name in list(os.environ):
        if name.startswith("TORCHELASTIC") or "RANK" in name or "WORLD" in name:
            del os.environ[name]
    replace, states = os.replace, []

    def stop(source, target):
        states.extend([target] * (target.name == "last.ckpt"))
        if len(states) == 4:
            (folder / "pid").write_text(str(os.getpid()))
            replace(folder / "pid", folder / "writing")
            time.sleep(300)
        replace(source, target)

    os.replace = stop
    run(alone, out=folder / "killed")
"""


@pytest.mark.slow
def test_two_processes_end_with_identical_weights_and_share_the_work(processes):
    first, second = (torch.load(processes / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    out = processes / "together"
    saved = load_file(out / "checkpoints" / "last.safetensors")
    assert all(torch.equal(first[name], saved[name]) for name in first)
    # 6 clips over 2 processes in batches of 2: one step an epoch; each video is validated once.
    assert [int(row["step"]) for row in rows(out) if row["loss"]] == [1, 2]
    assert load_checkpoint(out / "checkpoints/last.safetensors").metrics["validation_videos"] == 6
    with pytest.raises(TrainingError, match=r"4 items a step .*, now they are 2"):
        run(processes / "two.yaml", out=out)


@pytest.mark.slow
def test_run_after_sigkill_continues_the_same_curve(processes, undisturbed):
    out = processes / "killed"
    assert RunFolder(out).position().step == 3
    assert (out / "checkpoints" / ".last.ckpt.partial").is_file()
    assert not json.loads((out / "run.json").read_text())["finished"]
    assert run(undisturbed.config, out=out) == 0
    assert same_run(out, undisturbed.folder)
