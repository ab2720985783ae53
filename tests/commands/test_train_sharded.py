"""Trainings whose weights are split among two processes (FSDP), beside the same ones with whole weights."""

import pytest
import torch

from deepfake_ssat.commands.train import run
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.sharding import OLDEST_TORCH
from tests.commands.test_train_processes import (
    ONE_BY_FOUR,
    ONE_BY_TWO_TWICE,
    curve,
    dying_after,
    free_ports,
    srun,
)
from tests.manifests import make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="trainer.strategy fsdp refuses this torch"),
]

SCRIPT = """
import os, shutil, sys
from pathlib import Path
from deepfake_ssat.commands.train import run
from tests.commands.test_train_processes import TWO_BY_TWO, dying_after

folder, ports = Path(sys.argv[1]), iter(sys.argv[2:])

def train(config, out, strategy="fsdp", changes=()):
    os.environ["MASTER_PORT"] = next(ports)
    run(folder / config, changes=[f"trainer.strategy={strategy}", *changes], out=folder / out)

def stop(config, out, changes=()):
    with dying_after(step=3):
        try:
            train(config, out, changes=changes)
        except MemoryError:
            pass

train("joint.yaml", "whole", "ddp")
train("joint.yaml", "sharded", changes=["trainer.activation_checkpointing=true"])
stop("joint.yaml", "stopped")
train("joint.yaml", "stopped")
train("plain.yaml", "one_to_two", changes=TWO_BY_TWO)
stop("plain.yaml", "two_to_one", TWO_BY_TWO)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the runs of one process, and what two processes made in one launch."""
    folder = tmp_path_factory.mktemp("sharded")
    # Of 5 validation clips, in batches of 2, one process has a batch more than the other would need.
    videos = [
        *tiny_videos(6, splits=("train",)),
        *tiny_videos(3, splits=("val",))[:5],
    ]
    manifest = make_manifest(folder / "clips", videos, frames=8)
    joint = tiny_values(
        manifest.root,
        data={"val_clips_per_face": 1},
        optimizer={"clip_gradient_norm": 0.2},
        trainer={"checkpoint_every_steps": 2},
    )
    write_config(folder / "joint.yaml", joint)
    # Without random draws by batch: then a step's loss tells its clips, on any number of processes.
    plain = tiny_values(
        manifest.root,
        objective={"name": "scratch", "class_weight": "none"},
        trainer={"checkpoint_every_steps": 1, "strategy": "fsdp"},
    )
    plain["model"] |= {"encoder": {"width": 32, "depth": 2, "heads": 2, "drop_path": 0.0}}
    file = write_config(folder / "plain.yaml", plain)
    run(file, changes=ONE_BY_FOUR, out=folder / "undisturbed")
    with dying_after(step=3), pytest.raises(MemoryError):
        run(file, changes=ONE_BY_TWO_TWICE, out=folder / "one_to_two")
    (folder / "two.py").write_text(SCRIPT)
    srun(folder / "two.py", folder, *free_ports(6))
    return folder


def last(folder):
    return load_checkpoint(folder / "checkpoints/last.safetensors").model.state_dict()


def test_sharded_run_has_the_losses_and_weights_of_one_that_is_not(trained):
    assert curve(trained / "sharded") == pytest.approx(curve(trained / "whole"), rel=1e-5)
    sharded, whole = last(trained / "sharded"), last(trained / "whole")
    for name, weight in whole.items():
        torch.testing.assert_close(sharded[name], weight, rtol=1e-3, atol=1e-4)


def test_sharded_run_that_was_stopped_repeats_the_undisturbed_one(trained):
    assert curve(trained / "stopped") == curve(trained / "sharded")
    stopped, sharded = last(trained / "stopped"), last(trained / "sharded")
    assert all(torch.equal(stopped[name], weight) for name, weight in sharded.items())


@pytest.mark.parametrize("name", ["one_to_two", "two_to_one"])
def test_run_goes_on_with_other_processes_sharded_or_not(trained, name):
    if name == "two_to_one":
        assert RunFolder(trained / name).position().step == 2
        run(trained / "plain.yaml", changes=ONE_BY_TWO_TWICE, out=trained / name)
        assert "note: trainer.strategy fsdp splits" in (trained / name / "train.log").read_text()
    assert curve(trained / name) == pytest.approx(curve(trained / "undisturbed"), rel=1e-4)
