import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
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


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def same_weights(left, right):
    first, second = load_file(left), load_file(right)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_run_folder_has_everything(config, tmp_path, manifest, capsys):
    out = tmp_path / "run"
    assert run(config(), out=out) == 0
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
    assert "weights: " in capsys.readouterr().out

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
    assert provenance["config"]["seed"] == 3
    assert provenance["objective"]["name"] == "ssat"
    assert "tiny/original/c23/train0" in provenance["seen"]["train"]


def test_finished_run_says_so_and_trains_nothing(config, tmp_path, capsys):
    out = tmp_path / "run"
    run(config(), out=out)
    before = (out / "metrics.csv").read_bytes()
    capsys.readouterr()
    assert run(config(), out=out) == 0
    assert "this run is finished" in capsys.readouterr().out
    assert (out / "metrics.csv").read_bytes() == before


def test_another_config_on_the_same_folder_is_refused(config, tmp_path):
    run(config(), out=tmp_path / "run")
    with pytest.raises(TrainingError, match=r"seed 3, now it is 4"):
        run(config(), changes=["seed=4"], out=tmp_path / "run")


def test_changes_are_in_the_resolved_config(config, tmp_path):
    run(config(), changes=["trainer.epochs=2", "optimizer.batch_size=3"], out=tmp_path / "run")
    assert "batch_size: 3" in (tmp_path / "run" / "config.yaml").read_text()


def test_folder_in_which_another_process_trains_is_refused(config, tmp_path):
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / LOCK_FILE), pytest.raises(TrainingError, match="another run"):
        run(config(), out=tmp_path / "run")


@pytest.mark.parametrize("objective", ["scratch", "mae", "supmae"])
def test_every_objective_trains_and_its_loss_falls(config, tmp_path, objective):
    out = tmp_path / "run"
    run(config(objective={"name": objective}), out=out)
    losses = [float(row["val_loss"]) for row in rows(out) if row["val_loss"]]
    assert losses[1] < losses[0]
    assert (out / "reconstructions").exists() == (objective != "scratch")


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


def test_averaged_weights_are_validated_and_saved(config, tmp_path):
    run(config(), out=tmp_path / "plain")
    run(config(optimizer={"ema_decay": 0.9}), out=tmp_path / "averaged")
    plain, averaged = (rows(tmp_path / name) for name in ("plain", "averaged"))
    assert [row["loss"] for row in plain] == [row["loss"] for row in averaged]
    assert [row["val_loss"] for row in plain] != [row["val_loss"] for row in averaged]
    assert not same_weights(
        tmp_path / "plain/checkpoints/last.safetensors", tmp_path / "averaged/checkpoints/last.safetensors"
    )


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


def test_fine_tuning_starts_from_pre_trained_weights_and_remembers_whom_they_saw(config, tmp_path, capsys):
    run(config(objective={"name": "mae"}), out=tmp_path / "mae")
    init = tmp_path / "mae" / "checkpoints" / "best.safetensors"
    capsys.readouterr()
    run(config(init=str(init), objective={"name": "scratch"}), out=tmp_path / "fine")
    assert "weights come from" in capsys.readouterr().out
    seen = load_checkpoint(tmp_path / "fine/checkpoints/best.safetensors").provenance["seen"]
    assert "tiny/original/c23/train0" in seen["train"]


def test_pre_trained_weights_are_no_detector(config, tmp_path):
    run(config(objective={"name": "mae"}), out=tmp_path / "mae")
    checkpoint = load_checkpoint(tmp_path / "mae/checkpoints/best.safetensors")
    with pytest.raises(CheckpointError, match="pre-trained without labels"):
        checkpoint.require_contract()


def test_diverging_run_stops_in_one_line_and_keeps_its_weights(config, tmp_path, monkeypatch):
    from deepfake_ssat.training.module import TrainingModule

    losses = TrainingModule._losses

    def diverge(self, *rest):
        found = losses(self, *rest)
        return replace(found, total=found.total / 0.0) if self.training and self.current_epoch == 1 else found

    monkeypatch.setattr(TrainingModule, "_losses", diverge)
    with pytest.raises(TrainingError, match="the loss became inf in epoch 2, batch 1: training diverged"):
        run(config(), out=tmp_path / "run")
    assert load_checkpoint(tmp_path / "run/checkpoints/best.safetensors").metrics["epoch"] == 1


def test_missing_manifest_is_named(config, tmp_path):
    with pytest.raises(ManifestError, match="nowhere"):
        run(config(), changes=[f"data.manifest={tmp_path / 'nowhere'}"], out=tmp_path / "run")


def test_damaged_clip_is_named_in_one_line_from_a_worker(tmp_path, config):
    damaged = make_manifest(tmp_path / "clips", tiny_videos(2, splits=("train", "val")), frames=16)
    (damaged.root / damaged.rows[0].clip_file).write_bytes(b"not a video")
    with pytest.raises(ManifestError, match=r"track000_00.mp4") as error:
        run(config(trainer={"workers": 1}), changes=[f"data.manifest={damaged.root}"], out=tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_run_killed_at_any_step_repeats_the_undisturbed_one(config, tmp_path, monkeypatch, workers):
    from deepfake_ssat.training.callbacks import TrainingRows

    file = config(
        optimizer={"ema_decay": 0.9}, augmentation={"mixup": 0.5}, trainer={"epochs": 2, "workers": workers}
    )
    run(file, out=tmp_path / "whole")
    write_row = TrainingRows.on_train_batch_end
    for last_step in (1, 3, 5) if workers == 0 else (5,):

        def die(self, trainer, *rest, last_step=last_step):
            write_row(self, trainer, *rest)
            if trainer.global_step == last_step:
                raise MemoryError("killed")

        monkeypatch.setattr(TrainingRows, "on_train_batch_end", die)
        with pytest.raises(MemoryError):
            run(file, out=tmp_path / f"killed{last_step}")
        monkeypatch.setattr(TrainingRows, "on_train_batch_end", write_row)
        run(file, out=tmp_path / f"killed{last_step}")
        assert rows(tmp_path / f"killed{last_step}") == rows(tmp_path / "whole")
        for name in ("best", "last"):
            weights = f"checkpoints/{name}.safetensors"
            assert same_weights(tmp_path / f"killed{last_step}" / weights, tmp_path / "whole" / weights)


def test_run_after_sigkill_continues_the_same_curve(config, tmp_path):
    file = config(trainer={"epochs": 20, "checkpoint_every_steps": 1, "validate_every_epochs": 10})
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "deepfake_ssat", "train", str(file), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and RunFolder(out).position().step < 7:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 7 <= RunFolder(out).position().step < 60
    assert not json.loads((out / "run.json").read_text())["finished"]
    assert run(file, out=out) == 0
    assert run(file, out=tmp_path / "whole") == 0
    assert rows(out) == rows(tmp_path / "whole")
    for name in ("best", "last"):
        weights = f"checkpoints/{name}.safetensors"
        assert same_weights(out / weights, tmp_path / "whole" / weights)


@pytest.mark.slow
def test_two_processes_end_with_identical_weights_and_share_the_work(config, tmp_path):
    # Rank 1's weights are written by a hook, and compared with those that rank 0 saved.
    file = config(trainer={"checkpoint_every_steps": 1}, objective={"name": "ssat"})
    out = tmp_path / "run"
    script = tmp_path / "two.py"
    script.write_text(
        "import os, sys, torch\n"
        "from pathlib import Path\n"
        "from deepfake_ssat.training.module import TrainingModule\n"
        "from deepfake_ssat.commands.train import run\n"
        "def save(self):\n"
        "    torch.save(self.model.state_dict(), Path(sys.argv[2]).parent / f'rank{self.global_rank}.pt')\n"
        "TrainingModule.on_train_end = save\n"
        "run(Path(sys.argv[1]), out=Path(sys.argv[2]))\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(script), str(file), str(out)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    saved = load_file(out / "checkpoints" / "last.safetensors")
    assert all(torch.equal(first[name], saved[name]) for name in first)
    # 6 clips over 2 processes in batches of 2: one step an epoch; each video is validated once.
    assert [int(row["step"]) for row in rows(out) if row["loss"]] == [1, 2]
    assert load_checkpoint(out / "checkpoints/last.safetensors").metrics["validation_videos"] == 6
    with pytest.raises(TrainingError, match="processes 2, now it is 1"):
        run(file, out=out)
