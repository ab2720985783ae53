"""Memory of each process that trains a ViT, with whole weights (DDP) and with weights that are split (FSDP).

    torchrun --nproc-per-node 2 tools/benchmarks/sharding.py ddp  --depth 8
    torchrun --nproc-per-node 2 tools/benchmarks/sharding.py fsdp --depth 8

So many of ViT-L's blocks, without --depth all 24, in fp32 on the CPU, on pictures so small that activations
do not count. A line a process.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from figures import peak_megabytes
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader

from deepfake_ssat.config import Experiment
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.training.module import TrainingModule
from deepfake_ssat.training.optim import freeze_unused, make_schedule
from deepfake_ssat.training.processes import started_processes
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.trainer import make_trainer, quiet_lightning

STEPS = 3


def main() -> None:
    """Trains a few steps and prints what this process held."""
    parser = argparse.ArgumentParser(description="Memory of each process that trains a ViT.")
    parser.add_argument("strategy", choices=["ddp", "fsdp"])
    parser.add_argument("--depth", type=int, default=24, help="blocks")
    options = parser.parse_args()
    at_start, processes = peak_megabytes(), started_processes()
    experiment = Experiment.model_validate(
        {
            "model": {
                "frames": 1,
                "tubelet": 1,
                "image_size": 64,
                "encoder": {"width": 1024, "depth": options.depth, "heads": 16},
            },
            "objective": {"name": "scratch"},
            "data": {"kind": "face_clips", "manifest": "none"},
            "optimizer": {"batch_size": 1, "warmup_epochs": 0},
            "trainer": {"epochs": 1, "strategy": options.strategy},
        }
    )
    model = build_network(experiment.model)
    model.drop_decoder()
    freeze_unused(model, experiment.objective)
    schedule = make_schedule(experiment.optimizer, processes.count, STEPS, 1)
    module = TrainingModule(model, experiment, None, schedule, STEPS, ["none"])
    batch = {
        "pixels": torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8),
        "label": torch.tensor([1]),
        "video": torch.tensor([0]),
    }
    with tempfile.TemporaryDirectory() as folder, quiet_lightning():
        trainer = make_trainer(experiment, [], processes, "cpu", "32-true", RunFolder(Path(folder)))
        trainer.fit(module, DataLoader([batch] * STEPS, batch_size=None))  # pyright: ignore[reportArgumentType]
    weights = list(module.parameters())
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    moments = [value for state in trainer.optimizers[0].state.values() for value in state.values()]
    print(
        f"{options.strategy}, {sum(weight.numel() for weight in weights) / 1e6:.1f} million weights, "
        f"process {processes.rank} of {processes.count}: weights {megabytes(weights):.0f} MB, gradients "
        f"{megabytes(gradients):.0f} MB, moments {megabytes(moments):.0f} MB, at its peak "
        f"{peak_megabytes() - at_start:.0f} MB more than at its start",
        flush=True,
    )
    torch.distributed.destroy_process_group()


def megabytes(tensors: Iterable[Tensor]) -> float:
    """Of what this process holds of them."""
    own = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
    return sum(tensor.nbytes for tensor in own) / 1e6


if __name__ == "__main__":
    main()
