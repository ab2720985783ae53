"""Trainings of two processes, as srun starts them, and runs that go on with another number of them."""

import csv
import math
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deepfake_ssat.commands.train import run
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.training.run_folder import RunFolder
from tests.manifests import make_manifest, tiny_videos
from tests.models.tiny import HYBRID
from tests.training.runs import tiny_values, write_config

pytestmark = pytest.mark.slow

TWO_BY_TWO, ONE_BY_FOUR, ONE_BY_TWO_TWICE = (
    [f"optimizer.batch_size={size}", f"optimizer.accumulate_batches={accumulated}"]
    for size, accumulated in ((2, 1), (4, 1), (2, 2))
)
"""Four clips a step, of two processes or of one."""

SCRIPT = """
import os, sys
from pathlib import Path
import torch
from deepfake_ssat.commands.train import run
from deepfake_ssat.training.module import TrainingModule
from tests.commands.test_train_processes import TWO_BY_TWO, dying_after

folder, ports = Path(sys.argv[1]), iter(sys.argv[2:])

def train(config, out, changes=()):
    os.environ["MASTER_PORT"] = next(ports)
    run(folder / config, changes=changes, out=folder / out)

def save(self):
    torch.save(self.model.state_dict(), folder / f"rank{self.global_rank}.pt")

train("plain.yaml", "one_to_two", TWO_BY_TWO)
with dying_after(step=3):
    try:
        train("plain.yaml", "two_to_one", TWO_BY_TWO)
    except MemoryError:
        pass
TrainingModule.on_train_end = save
train("stem.yaml", "stem")
"""


@contextmanager
def dying_after(step):
    """Trainings inside end with a MemoryError when a step is done and its row written, but not its state."""
    from deepfake_ssat.training.callbacks import TrainingRows

    write_row = TrainingRows.on_train_batch_end

    def die(self, trainer, *rest):
        write_row(self, trainer, *rest)
        if trainer.global_step == step:
            raise MemoryError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_end", die)
        yield


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    numbers = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def srun(script, folder, *arguments):
    """Runs a script in two processes with the variables that Slurm's srun sets."""
    step = {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NODEID": "0",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, str(script), str(folder), *arguments]
    with ExitStack() as stack:
        started = []
        for rank in ("0", "1"):
            said = stack.enter_context((folder / f"said{rank}.txt").open("w"))
            environment = os.environ | step | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
            started.append(stack.enter_context(process))
            stack.callback(process.kill)
        # One that fails leaves the other waiting.
        while not any(process.poll() for process in started) and any(p.poll() is None for p in started):
            time.sleep(0.1)
    said = [(folder / f"said{rank}.txt").read_text() for rank in (0, 1)]
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the runs of one process, and what two processes made in one launch."""
    folder = tmp_path_factory.mktemp("processes")
    manifest = make_manifest(folder / "clips", tiny_videos(6, splits=("train", "val")), frames=8)
    encoder = {"width": 32, "depth": 2, "heads": 2, "drop_path": 0.0}
    # Without random draws by batch: then a step's loss tells its clips, on any number of processes.
    values = tiny_values(
        manifest.root,
        objective={"name": "scratch", "class_weight": "none"},
        trainer={"checkpoint_every_steps": 1},
    )
    values["model"] |= {"encoder": encoder}
    plain = write_config(folder / "plain.yaml", values)
    stem = tiny_values(
        manifest.root,
        optimizer={"frozen_stem_blocks": 3, "base_learning_rate": 0.05},
        trainer={"precision": "bf16_products", "activation_checkpointing": True},
    ) | {"model": HYBRID.model_dump(mode="json")}
    write_config(folder / "stem.yaml", stem)
    run(plain, changes=ONE_BY_FOUR, out=folder / "undisturbed")
    with dying_after(step=3), pytest.raises(MemoryError):
        run(plain, changes=ONE_BY_TWO_TWICE, out=folder / "one_to_two")
    (folder / "two.py").write_text(SCRIPT)
    srun(folder / "two.py", folder, *free_ports(4))
    return folder


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def curve(folder):
    """Per step its loss, then per validation its."""
    return [float(row["loss"] or row["val_loss"]) for row in rows(folder)]


@pytest.mark.parametrize("name", ["one_to_two", "two_to_one"])
def test_run_goes_on_within_an_epoch_with_other_processes_and_the_clips_it_had_not_shown(trained, name):
    if name == "two_to_one":
        assert RunFolder(trained / name).position().step == 2
        run(trained / "plain.yaml", changes=ONE_BY_TWO_TWICE, out=trained / name)
    assert curve(trained / name) == pytest.approx(curve(trained / "undisturbed"), rel=1e-4)
    assert len(curve(trained / name)) == 8
    log = (trained / name / "train.log").read_text()
    before = {"one_to_two": "1 process(es) x batch_size 2 x accumulate_batches 2", "two_to_one": "2 proc"}
    assert f"note: until step 2 a step was {before[name]}" in log


def test_other_batches_go_on_at_the_end_of_an_epoch(trained):
    out = trained / "at_the_end"
    with dying_after(step=4), pytest.raises(MemoryError):
        run(trained / "plain.yaml", changes=ONE_BY_FOUR, out=out)
    run(trained / "plain.yaml", changes=ONE_BY_TWO_TWICE, out=out)
    assert curve(out) == pytest.approx(curve(trained / "undisturbed"), rel=1e-4)


def test_processes_keep_the_same_weights_with_frozen_stem_blocks_and_bf16_products(trained):
    first, second = (torch.load(trained / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    saved = load_file(trained / "stem/checkpoints/last.safetensors")
    torch.manual_seed(3)
    before = MaskedAutoencoder(HYBRID).state_dict()
    frozen = tuple(f"encoder.stem.{part}." for part in ("stem", "blocks.0", "blocks.1", "blocks.2"))
    for name, weight in first.items():
        assert torch.equal(weight, second[name])
        assert torch.equal(weight, saved[name])
        assert torch.equal(weight, before[name]) or not name.startswith(frozen)
    assert not all(torch.equal(weight, before[name]) for name, weight in first.items())
    assert all(math.isfinite(float(row["val_loss"])) for row in rows(trained / "stem") if row["val_loss"])
