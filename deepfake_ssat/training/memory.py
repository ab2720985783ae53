"""Memory of a training: what a step keeps for its gradient, and what it leaves to the next one."""

from __future__ import annotations

import ctypes
import sys

from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.network import Network

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""As glibc's malloc.h numbers them."""


def recompute_blocks(model: Network) -> None:
    """Has the blocks of encoder and decoder keep their input alone (Chen et al. 2016): the same gradients."""
    for module in model.modules():
        if isinstance(module, Block):
            module.recomputed = True


def keep_freed_memory() -> None:
    """Tells glibc not to give memory back to the kernel; does nothing with other C libraries.

    Each step frees and asks for the same tensors: their page faults were a seventh of the CPU time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
