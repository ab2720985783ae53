"""Remembers which files passed their self-test here: a second or two that each start need not spend again.

A pass is an empty file in the user's cache folder, named by what it holds for: the bytes of the checkpoint,
the code of the networks, torch and the device. Where that folder cannot be written, each start tests.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from deepfake_ssat.errors import OutputError
from deepfake_ssat.outputs import cache_folder


def has_passed(digest: str, device: torch.device | str) -> bool:
    """Whether a file of this SHA-256 passed on this device, computed as it is now."""
    with suppress(OSError, OutputError):  # OutputError: a user without a home folder.
        return _mark(digest, device).is_file()
    return False


def remember_pass(digest: str, device: torch.device | str) -> None:
    """For the next start; silent where it cannot be kept."""
    with suppress(OSError, OutputError):
        mark = _mark(digest, device)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark(digest: str, device: torch.device | str) -> Path:
    key = f"{digest} {_software()} {_processor(torch.device(device))}"
    return cache_folder() / "self-tests" / hashlib.sha256(key.encode()).hexdigest()


@cache
def _software() -> str:
    """What computes: torch, and the code of the networks and their settings byte by byte."""
    rooms = (Path(__file__).parent, Path(__file__).parents[1] / "config")
    code = hashlib.sha256()
    for file in sorted(file for room in rooms for file in room.rglob("*.py")):
        code.update(file.read_bytes())
    return f"{torch.__version__} {code.hexdigest()}"


def _processor(device: torch.device) -> str:
    """What computes it: instructions of a CPU, name of a GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return torch.backends.cpu.get_cpu_capability()
