"""What a run computes on: a device, and a number type that it is fast in."""

from __future__ import annotations

from typing import Literal

import torch

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.precision import inference_dtype

Precision = Literal["32-true", "bf16-mixed"]


def training_device(processes: int = 1) -> str:
    """``cuda`` where there is one, else ``cpu``; for so many processes of this machine, each on its own.

    Raises ConfigError where they would have to share a GPU.
    """
    if not torch.cuda.is_available():
        return "cpu"
    seen = torch.cuda.device_count()
    if seen < processes:
        raise ConfigError(
            f"{processes} processes train on this machine, each sees {seen} GPU(s) and needs one of its own "
            "beside those of the others: start fewer, or let each see all (srun --gpus-per-node instead of "
            "--gpus-per-task)"
        )
    return "cuda"


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
