"""The command that runs, as it was typed: what checkpoints and reports say of how they came about."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def command_line() -> str:
    """One line for a shell."""
    program = Path(sys.argv[0]).name
    # What ``python -m deepfake_ssat``, and torchrun's -m, put there.
    return shlex.join(["deepfake-ssat" if program == "__main__.py" else program, *sys.argv[1:]])
