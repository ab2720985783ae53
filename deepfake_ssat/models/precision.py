"""Which number type a model should run in on a device, and true fp32 where results are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def inference_dtype(device: torch.device | str) -> torch.dtype:
    """bf16 where the device multiplies it in hardware, else fp32.

    A CPU without such instructions emulates bf16, several times slower than its fp32.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and any(_cpu_has(unit) for unit in ("avx512_bf16", "amx_tile")):
        return torch.bfloat16
    return torch.float32


def _cpu_has(unit: str) -> bool:
    """Whether torch sees an instruction set; an older torch that cannot tell counts as no."""
    return bool(getattr(torch.cpu, f"_is_{unit}_supported", lambda: False)())


@contextmanager
def full_precision() -> Iterator[None]:
    """Matrix products in true fp32 inside, whatever the program chose outside."""
    chosen = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(chosen)
