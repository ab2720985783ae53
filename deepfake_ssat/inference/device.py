"""Which device a detector computes on."""

from __future__ import annotations

import torch

from deepfake_ssat.errors import ConfigError


def resolve_device(name: str) -> torch.device:
    """``auto`` is the GPU if there is one; raises ConfigError where the asked one is absent."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"device is {name!r}, choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no GPU here; choose cpu or auto")
    return torch.device(name)


def use_threads(threads: int | None) -> None:
    """So many CPU threads for this process; None is torch's own choice."""
    if threads is not None:
        torch.set_num_threads(threads)
