"""Reads an experiment from YAML files with ``--set`` changes, and writes a resolved one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from deepfake_ssat.config.layers import read_layers
from deepfake_ssat.config.problems import first_problem
from deepfake_ssat.config.training import Experiment
from deepfake_ssat.errors import ConfigError

TABLE_KEYS = {"rows", "source", "title"}
"""Of the files in configs/paper, which ``reproduce`` reads."""


def load_experiment(path: Path, changes: Sequence[str] = (), *, smoke: bool = False) -> Experiment:
    """An experiment from a file on top of its base, made small by ``smoke``, with changes.

    Raises ConfigError in one line that names the file, or the change, which holds what is wrong.
    """
    layers = read_layers(path, changes, smoke)
    if layers.merged().keys() >= TABLE_KEYS:
        raise ConfigError(
            f"{path}: is a table of the paper, not one experiment; run it with "
            f"deepfake-ssat reproduce {path.stem} --data FOLDER --out DIR"
        )
    try:
        return Experiment.model_validate(layers.merged())
    except ValidationError as error:
        location, problem = first_problem(error)
        raise ConfigError(f"{layers.source(location)}: {problem}") from error


def dump_experiment(experiment: Experiment) -> str:
    """The resolved experiment as YAML that ``load_experiment`` reads back to an equal one."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)
