"""Which number type a model should run in on a device, and how exactly fp32 is multiplied there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

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


def inference_autocast(device: torch.device | str) -> AbstractContextManager[object]:
    """Networks run in ``inference_dtype`` inside."""
    device = torch.device(device)
    if inference_dtype(device) is torch.bfloat16:
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _cpu_has(unit: str) -> bool:
    """Whether torch sees an instruction set; an older torch that cannot tell counts as no."""
    return bool(getattr(torch.cpu, f"_is_{unit}_supported", lambda: False)())


@contextmanager
def full_precision() -> Iterator[None]:
    """Products in true fp32 inside, whatever the program chose outside."""
    with _products("highest", "ieee"):
        yield


@contextmanager
def bf16_products() -> Iterator[None]:
    """fp32 values multiplied in bf16 and summed in fp32 inside, where oneDNN takes the CPU's bf16 for it.

    With AMX tiles it does. With AVX-512's bf16 alone it did not (torch 2.14): products stay in fp32 there.
    Convolutions then need no conversions around them, as autocast does: of EfficientNet-Lite0 a step takes
    half as long as under autocast (docs/weights.md).
    """
    with _products("medium", "bf16"):
        yield


@contextmanager
def _products(matmul: str, convolution: str) -> Iterator[None]:
    # An older torch has no such choice for the CPU's convolutions, which are in true fp32 there.
    convolutions = getattr(torch.backends.mkldnn, "conv", None)
    chosen = torch.get_float32_matmul_precision(), getattr(convolutions, "fp32_precision", None)
    torch.set_float32_matmul_precision(matmul)
    if convolutions is not None:
        convolutions.fp32_precision = convolution
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(chosen[0])
        if convolutions is not None:
            convolutions.fp32_precision = chosen[1]
