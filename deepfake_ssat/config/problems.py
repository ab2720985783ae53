"""What pydantic finds wrong with an experiment, in one line of the file's own words."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import ValidationError

from deepfake_ssat.config.layers import BASE, SMOKE, TAG
from deepfake_ssat.config.training import Experiment

MESSAGES = {
    "tuple_type": "must be a list, such as [first, second]",
    "model_type": "must be a section with keys",
    "model_attributes_type": "must be a section with keys",
}
"""In the words of YAML, where pydantic speaks of Python."""


def first_problem(error: ValidationError) -> tuple[list[str], str]:
    """The place of the first of pydantic's problems, and one line for it."""
    problem = error.errors()[0]
    location = _keys_only([str(part) for part in problem["loc"]])
    return location, _one_line(error, [str(part) for part in problem["loc"]], location)


def _one_line(error: ValidationError, loc: list[str], location: list[str]) -> str:
    """A misspelt key is answered with its neighbours."""
    problem = error.errors()[0]
    name, kind = ".".join(location), problem["type"]
    if kind == "extra_forbidden":
        siblings = sorted(_valid_keys(Experiment, loc[:-1]) | ({BASE, SMOKE} if len(loc) == 1 else set()))
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
    is_own_name = False
    for number, part in enumerate(location):
        if is_own_name:
            keys.append(part)
            is_own_name = False
            continue
        found = [candidate.model_fields[part] for candidate in candidates if part in candidate.model_fields]
        is_own_name = any(_holds_own_names(field.annotation) for field in found)
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
    candidates, is_own_name = [model], False
    for part in location:
        if is_own_name:
            is_own_name = False
            continue
        found = []
        for candidate in candidates:
            fields = candidate.model_fields
            if part in fields:
                is_own_name = is_own_name or _holds_own_names(fields[part].annotation)
                found.extend(_models_in(fields[part].annotation))
            elif fields.get(TAG) is not None and fields[TAG].default == part:
                found.append(candidate)
        candidates = found
    return {name for candidate in candidates for name in candidate.model_fields}


def _holds_own_names(annotation: Any) -> bool:
    """Whether the keys below are names of the user's own choice."""
    return getattr(annotation, "__origin__", None) is dict


def _models_in(annotation: Any) -> list[Any]:
    """The pydantic models named in an annotation, unions opened."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]
