"""Which settings of an experiment decide its result, and where two experiments differ in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake_ssat.config.training import CHANGES_NO_RESULT
from deepfake_ssat.training.run_folder import leaves

BEFORE, EPOCHS_IN_ALL = "trainings before", "epochs in all"
"""Keys beside the settings, in comparisons alone."""
PLACES = ("manifest", "path", "root")
"""Settings of the data that say where they are."""


@dataclass(frozen=True)
class SettingDifference:
    """One setting, as ``section.key``, with the value of each side; None where a side has no such key."""

    key: str
    values: tuple[Any, ...]


def deciding_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The nested settings without the seed, the place of the data and what changes no result."""
    dropped = {"data": PLACES, "trainer": CHANGES_NO_RESULT}
    return {
        section: {key: value for key, value in values.items() if key not in dropped.get(section, ())}
        if isinstance(values, Mapping)
        else values
        for section, values in config.items()
        if section != "seed"
    }


def with_trainings_before(
    settings: Mapping[str, Any], before: Sequence[Mapping[str, Any]] | None
) -> dict[str, Any]:
    """Settings with the trainings that the initial weights come from, in words, and the epochs of all.

    The settings alone where those weights do not tell.
    """
    if not before:
        return dict(settings)
    lines = [
        f"{one['objective']}, {one['epochs']} epochs, rate {one['base_learning_rate']:g}, "
        f"layer decay {one['layer_decay']:g}, drop path {one['drop_path'] or 0:g}"
        for one in before
    ]
    last = settings.get("trainer", {}).get("epochs")
    epochs = None if last is None else last + sum(one["epochs"] for one in before)
    return {**settings, BEFORE: " → ".join(lines), EPOCHS_IN_ALL: epochs}


def setting_differences(*sides: Mapping[str, Any]) -> list[SettingDifference]:
    """The keys of nested settings in which the sides are not all the same."""
    flat = [dict(leaves(side)) for side in sides]
    keys = dict.fromkeys(key for values in flat for key in values)
    found = [SettingDifference(key, tuple(values.get(key) for values in flat)) for key in keys]
    return [one for one in found if any(value != one.values[0] for value in one.values)]
