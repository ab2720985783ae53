"""Which device and which precision a detector computes in."""

from __future__ import annotations

from typing import Literal

import torch

from deepfake_ssat.errors import ConfigError

Precision = Literal["bf16", "fp32"]


def resolve_device(name: str) -> torch.device:
    """``auto`` is the GPU if there is one; raises ConfigError where the asked one is absent."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"device is {name!r}, choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no GPU here; choose cpu or auto")
    return torch.device(name)


def fast_precision(device: torch.device) -> Precision:
    """bf16 where the hardware multiplies in it, which halves the time; elsewhere it is emulated and slow."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Older versions of torch cannot tell.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"
