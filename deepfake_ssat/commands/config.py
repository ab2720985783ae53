"""``deepfake-ssat config``: the whole of a configuration, defaults and bases resolved, as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from deepfake_ssat.config import dump_experiment, load_experiment


def run(config: Path, changes: Sequence[str] = (), *, smoke: bool = False) -> int:
    """Prints what ``train`` with the same options would store as config.yaml; returns 0."""
    typer.echo(dump_experiment(load_experiment(config, changes, smoke=smoke)), nl=False)
    return 0
