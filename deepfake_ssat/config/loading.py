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

TAG = "kind"
"""The key that tells which form a section has."""
MESSAGES = {
    "tuple_type": "must be a list, such as [first, second]",
    "model_type": "must be a section with keys",
    "model_attributes_type": "must be a section with keys",
}
"""In the words of YAML, where pydantic speaks of Python."""


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
    location = _keys_only([str(part) for part in problem["loc"]])
    name, kind = ".".join(location), problem["type"]
    if kind == "extra_forbidden":
        siblings = sorted(_valid_keys(Experiment, [str(part) for part in problem["loc"]][:-1]))
        close = difflib.get_close_matches(location[-1], siblings, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{name} is no key{hint} (valid: {', '.join(siblings)})"
    if kind == "missing":
        return f"{name} is missing"
    if kind == "union_tag_not_found":
        return f"{name}.{TAG} is missing (valid: {', '.join(_tags(location))})"
    if kind == "union_tag_invalid":
        given = problem.get("ctx", {}).get("tag")
        return f"{name}.{TAG} {given} is not known (valid: {', '.join(_tags(location))})"
    # A setting of several types has a problem for each of them.
    same = [other for other in error.errors() if _keys_only([str(part) for part in other["loc"]]) == location]
    message = " or ".join(dict.fromkeys(_in_words(other["type"], other["msg"]) for other in same))
    given = problem.get("input")
    shown = f" (given: {given!r})" if given is None or isinstance(given, (str, int, float, bool)) else ""
    return f"{name}: {message}{shown}" if name else message


def _in_words(kind: str, message: str) -> str:
    return MESSAGES.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "must be")


def _keys_only(location: list[str]) -> list[str]:
    """A location of pydantic's without what it adds for unions: the tag, and the types of the members."""
    keys: list[str] = []
    candidates: list[Any] = [Experiment]
    for number, part in enumerate(location):
        found = [candidate.model_fields[part] for candidate in candidates if part in candidate.model_fields]
        is_unknown_key = number == len(location) - 1 and candidates and part not in _kinds(candidates)
        if found:
            candidates = [model for field in found for model in _models_in(field.annotation)]
            keys.append(part)
        elif part.isdigit() or is_unknown_key:
            keys.append(part)
    return keys


def _tags(location: list[str]) -> list[str]:
    """The values of ``kind`` that a section may have."""
    models: list[Any] = [Experiment]
    for part in location:
        models = [found for model in models for found in _models_in(model.model_fields[part].annotation)]
    return _kinds(models)


def _kinds(models: list[Any]) -> list[str]:
    return [model.model_fields[TAG].default for model in models if TAG in model.model_fields]


def _valid_keys(model: Any, location: list[str]) -> set[str]:
    """The field names at a location, through unions tagged by ``kind``."""
    candidates = [model]
    for part in location:
        found = []
        for candidate in candidates:
            fields = candidate.model_fields
            if part in fields:
                found.extend(_models_in(fields[part].annotation))
            elif fields.get(TAG) is not None and fields[TAG].default == part:
                found.append(candidate)
        candidates = found
    return {name for candidate in candidates for name in candidate.model_fields}


def _models_in(annotation: Any) -> list[Any]:
    """The pydantic models named in an annotation, unions opened."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]
