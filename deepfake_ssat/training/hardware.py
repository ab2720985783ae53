"""What a run computes on: processes started by torchrun, device, and a number type that it is fast in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch

from deepfake_ssat.models.precision import inference_dtype

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    local_count: int = 1
    """On this machine."""

    @property
    def nodes(self) -> int:
        """Machines."""
        return self.count // self.local_count


def torchrun_processes() -> Processes:
    """From the variables that torchrun sets; one process without them."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Processes()
    return Processes(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))


def training_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_precision(wanted: str, device: str) -> tuple[Precision, str | None]:
    """Lightning's name for the precision, and a warning where the wanted one would be slow here."""
    if wanted == "fp32":
        return "32-true", None
    if inference_dtype(device) is not torch.bfloat16:
        return "32-true", (
            f"trainer.precision {wanted}: this {device} has no bf16 arithmetic and would emulate it slowly; "
            "training in fp32 instead"
        )
    return "32-true" if multiplies_in_bf16(wanted, device) else "bf16-mixed", None


def multiplies_in_bf16(wanted: str, device: str) -> bool:
    """Whether products alone are in bf16: as wanted, on a CPU that has it. A GPU is faster with autocast."""
    return wanted == "bf16_products" and device == "cpu" and inference_dtype(device) is torch.bfloat16
