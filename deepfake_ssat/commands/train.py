"""``deepfake-ssat train``: a configuration becomes a run folder with the best and the last weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.config import RUNS_FOLDER, experiment_name, load_experiment


def run(
    config: Path,
    changes: Sequence[str] = (),
    out: Path | None = None,
    *,
    smoke: bool = False,
    extend: bool = False,
) -> int:
    """Trains an experiment into a folder (``runs/<name of the config>`` by default); returns 0.

    The same command on the same folder goes on with a run that was killed, and says so of a finished one;
    ``extend`` lets it go on to more epochs.
    Under torchrun or srun every process calls it. Raises DeepfakeError for what the user can correct.
    """
    experiment = load_experiment(config, changes, smoke=smoke)

    from deepfake_ssat.training.experiment import train_experiment

    console = Console(highlight=False, soft_wrap=True)
    root = out or RUNS_FOLDER / experiment_name(config, smoke)
    train_experiment(experiment, root, console, extend=extend)
    return 0
