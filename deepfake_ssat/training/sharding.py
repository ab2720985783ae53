"""Weights, gradients and moments split among processes: fully sharded data parallelism (Zhao et al. 2023).

What is written is whole: a run goes on with any number of processes, sharded or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.models.network import Network

OLDEST_TORCH = "2.11"
"""Torch 2.8 ends such a run with other numbers; between the two nothing was tried."""


class ShardedStrategy(ModelParallelStrategy):
    """Lightning's, of one dimension, with states like those of a run that is not sharded.

    (Its own ones number an optimiser's parameters in the model's order. Our groups have another: from a state
    of a run that was not sharded, parameters would get each other's moments.)
    """

    def __init__(self, num_processes: int, backend: str) -> None:
        if torch.__version__ < OLDEST_TORCH:
            raise ConfigError(
                f"trainer.strategy fsdp: torch {torch.__version__} goes on with other numbers than without; "
                f"install torch {OLDEST_TORCH} or later, or leave it at ddp"
            )
        super().__init__(num_processes, 1, save_distributed_checkpoint=False, process_group_backend=backend)

    @property
    def lightning_restore_optimizer(self) -> bool:
        """By ``load_optimizer_state_dict``."""
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole in the first process."""
        assert self.lightning_module is not None
        return whole(self.lightning_module.state_dict())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Whole in the first process."""
        return whole(optimizer.state_dict())

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Mapped into memory: each process reads its part."""
        return torch.load(checkpoint_path, map_location="cpu", weights_only=True, mmap=True)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """This process's part."""
        assert self.lightning_module is not None
        own = self.lightning_module.state_dict()
        state = {name: _part(value, own.get(name)) for name, value in checkpoint["state_dict"].items()}
        self.lightning_module.load_state_dict(state, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """This process's part."""
        for optimizer, stored in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            # Cloned: the file that they are mapped from will be replaced.
            state = {
                number: {name: _part(value, parameters[number]).clone() for name, value in values.items()}
                for number, values in stored["state"].items()
            }
            optimizer.load_state_dict({**stored, "state": state})


def shard(module: LightningModule, mesh: DeviceMesh) -> None:
    """Splits each transformer block by itself, and all the rest together, over the mesh's one dimension.

    A block is whole while it computes. The steps count as forward, whatever they call. What is gathered is
    fp32, and autocast's business as in any run: the same arithmetic.
    """
    for part in list(module.modules()):
        if isinstance(part, Block):
            fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)
    for step in ("training_step", "validation_step"):
        register_fsdp_forward_method(module, step)


def whole(state: Any) -> Any:
    """Nested dicts with whole tensors in the first process's memory; all processes have to call it."""
    if isinstance(state, dict):
        return {name: whole(value) for name, value in state.items()}
    if not isinstance(state, DTensor):
        return state
    tensor = state.full_tensor()
    return state if torch.distributed.get_rank() else tensor.cpu()


def whole_network(model: Network) -> Network:
    """The network itself; of a sharded one, in the first process, a copy in the host's memory.

    All processes have to call it.
    """
    weights = model.state_dict()
    if not any(isinstance(weight, DTensor) for weight in weights.values()):
        return model
    weights = whole(weights)
    if torch.distributed.get_rank():
        return model
    with torch.device("meta"):
        network = build_network(model.settings)
    if model.autoencoder() is None:
        network.drop_decoder()
    network.load_state_dict(weights, assign=True)
    return network.eval()


def is_finite(weight: Tensor) -> bool:
    """Whether all of it is, in all processes; they have to call it together."""
    total = weight.sum()
    return bool(torch.isfinite(total.full_tensor() if isinstance(total, DTensor) else total))


def _part(value: Tensor, own: Tensor | None) -> Tensor:
    """This process's part of a whole tensor where its own is one; a number of steps is as it is."""
    if not isinstance(own, DTensor) or value.shape != own.shape:
        return value
    return distribute_tensor(value, own.device_mesh, own.placements, src_data_rank=None)
