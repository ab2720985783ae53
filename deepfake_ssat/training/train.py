"""A configuration becomes a run folder in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.config import RUNS_FOLDER, experiment_name, load_experiment
from deepfake_ssat.training.experiment import train_experiment
from deepfake_ssat.training.run_folder import RunFolder


def train(
    config: Path | str,
    out: Path | str | None = None,
    *,
    changes: Sequence[str] = (),
    smoke: bool = False,
    console: Console | None = None,
) -> RunFolder:
    """Trains the experiment of a YAML file into a folder, ``runs/<name of the config>`` by default.

    Called again after an interruption it goes on where it was, to the same weights. ``changes`` are such as
    ``optimizer.learning_rate=1e-4``, ``smoke`` makes a small version for minutes on two cores, a ``console``
    is told of the run. The result's ``best`` and ``last`` are its checkpoints. Raises DeepfakeError for what
    the user can correct.
    """
    config = Path(config)
    experiment = load_experiment(config, changes, smoke=smoke)
    folder = RUNS_FOLDER / experiment_name(config, smoke) if out is None else Path(out)
    return train_experiment(experiment, folder, console)
