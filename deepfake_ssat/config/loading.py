"""Reads an experiment from YAML with ``--set`` changes: the only place that parses configuration."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deepfake_ssat.config.training import Experiment
from deepfake_ssat.errors import ConfigError


def load_experiment(path: Path, changes: Sequence[str] = ()) -> Experiment:
    """An experiment from a YAML file and ``section.key=value`` changes; raises ConfigError in one line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); give a YAML file such as those in configs/"
        ) from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no sections; start from a file of configs/")
    for change in changes:
        apply_change(values, change)
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error)}") from error


def apply_change(values: dict[str, Any], change: str) -> None:
    """Applies one ``section.key=value`` (value read as YAML) to nested values in place."""
    name, equals, text = change.partition("=")
    keys = name.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {change}: write section.key=value, such as optimizer.batch_size=4")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {change}: the value is not YAML ({' '.join(str(error).split())})"
        ) from error
    section = values
    for key in keys[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {change}: {key} is a value, not a section")
    section[keys[-1]] = value


def dump_experiment(experiment: Experiment) -> str:
    """The resolved experiment as YAML that ``load_experiment`` reads back to an equal one."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)


def _first_problem(error: ValidationError) -> str:
    """One line for the first of pydantic's problems; a misspelt key is answered with its neighbours."""
    problem = error.errors()[0]
    location = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        siblings = sorted(_valid_keys(Experiment, location[:-1]))
        close = difflib.get_close_matches(location[-1], siblings, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{'.'.join(location)} is no key{hint} (valid: {', '.join(siblings)})"
    if problem["type"] == "missing":
        return f"{'.'.join(location)} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    return f"{'.'.join(location) or 'experiment'}: {message}{shown}"


def _valid_keys(model: Any, location: list[str]) -> set[str]:
    """The field names at a location, through unions tagged by ``kind``."""
    candidates = [model]
    for part in location:
        found = []
        for candidate in candidates:
            fields = candidate.model_fields
            if part in fields:
                found.extend(_models_in(fields[part].annotation))
            elif fields.get("kind") is not None and fields["kind"].default == part:
                found.append(candidate)
        candidates = found
    return {name for candidate in candidates for name in candidate.model_fields}


def _models_in(annotation: Any) -> list[Any]:
    """The pydantic models named in an annotation, unions opened."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]
