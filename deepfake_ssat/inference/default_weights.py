"""The weights that come with the package."""

from __future__ import annotations

from pathlib import Path

from deepfake_ssat.errors import CheckpointError

DEFAULT_WEIGHTS = Path(__file__).parent.parent / "weights" / "default.safetensors"


def default_weights() -> Path:
    """The weights that come with the package; raises CheckpointError where there are none yet."""
    if not DEFAULT_WEIGHTS.is_file():
        raise CheckpointError(
            "this installation comes without default weights; install the package again, or give "
            "--checkpoint FILE: deepfake-ssat train writes one (best.safetensors)"
        )
    return DEFAULT_WEIGHTS


def is_default(path: Path) -> bool:
    """Whether it is the file that comes with the package."""
    return path == DEFAULT_WEIGHTS
