"""The state files that a killed run goes on from: whether one is whole, and where training stood in it."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

POSITION_KEY = "deepfake_ssat_position"
DAMAGE = (zipfile.BadZipFile, pickle.UnpicklingError, OSError, RuntimeError, EOFError)
DAMAGE += (KeyError, TypeError, ValueError, IndexError)
"""What reading a file raises that is cut, flipped, or no state at all."""


@dataclass(frozen=True)
class Position:
    """Where training goes on."""

    epoch: int = 0
    batch: int = 0
    """Of the epoch, the first that is to be trained on."""
    step: int = 0
    """Optimiser steps done."""
    batch_items: int = 0
    """Of one batch of all processes together; 0 at the start, and where a version did not tell."""

    def first_batch(self, batch_items: int) -> int:
        """The batch to go on with where one has so many items: after those that the epoch has shown."""
        return self.batch * self.batch_items // batch_items


@dataclass(frozen=True)
class State:
    """A whole state file."""

    file: Path
    position: Position
    warning: str = ""
    """Why it is not the last one."""


@dataclass(frozen=True)
class Damaged:
    """A state file that cannot be gone on from."""

    reason: str


def examine(file: Path) -> State | Damaged | None:
    """Reads a state file through, for its checksums; None where there is none."""
    if not file.is_file():
        return None
    facts = file.stat()
    return _examine(file, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4)
def _examine(file: Path, size: int, modified: int) -> State | Damaged:
    """Once for a file that is asked for again, as it may have gigabytes."""
    try:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
        if broken is not None:
            return Damaged(f"its part {broken} is damaged")
        # Code in a pickle is refused, never run.
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        return State(file, Position(*(int(number) for number in state[POSITION_KEY])))
    except DAMAGE as error:
        return Damaged(" ".join(f"{type(error).__name__}: {error}".split())[:200])
