"""Where the recipes of compared methods differ, and whether the runs of one method share theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake_ssat.protocols.runs import JudgedRun
from deepfake_ssat.protocols.settings import setting_differences


@dataclass(frozen=True)
class RecipeDifference:
    """One setting in which not all runs are the same."""

    key: str
    """Such as ``trainer.epochs``."""
    values: Mapping[str, tuple[Any, ...]]
    """By method: one value, or several where its runs differ; None where there is no such key."""


def recipe_differences(columns: Mapping[str, Mapping[str, Sequence[JudgedRun]]]) -> list[RecipeDifference]:
    """The settings of all runs that tell theirs: the methods' own, and what was set otherwise beside them."""
    runs = {
        (name, run.source): run.settings
        for methods in columns.values()
        for name, its in methods.items()
        for run in its
        if run.settings is not None
    }
    found = []
    for one in setting_differences(*runs.values()):
        values: dict[str, list[Any]] = {}
        for (name, _), value in zip(runs, one.values, strict=True):
            if value not in values.setdefault(name, []):
                values[name].append(value)
        found.append(RecipeDifference(one.key, {name: tuple(its) for name, its in values.items()}))
    return found


def recipe_doubts(differences: Iterable[RecipeDifference]) -> list[str]:
    """A line for each method whose runs are not seeds of one recipe."""
    mixed: dict[str, list[str]] = {}
    for one in differences:
        for name, values in one.values.items():
            if len(values) > 1:
                mixed.setdefault(name, []).append(f"{one.key} {', '.join(map(str, values))}")
    return [
        f"the runs of {name} differ in more than the seed: {'; '.join(keys)}" for name, keys in mixed.items()
    ]
