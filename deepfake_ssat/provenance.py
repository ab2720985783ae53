"""How a result came about, for the files that keep it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def typed_command() -> str:
    """This process's command line, also where it was started as ``python -m deepfake_ssat``."""
    program = Path(sys.argv[0]).name
    return shlex.join(["deepfake-ssat" if program == "__main__.py" else program, *sys.argv[1:]])
