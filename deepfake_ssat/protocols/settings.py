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

    The words stand for the place of those weights, which each seed has its own. The settings alone where the
    weights do not tell.
    """
    if not before:
        return dict(settings)
    last = settings.get("trainer", {}).get("epochs")
    epochs = None if last is None else last + sum(one["epochs"] for one in before)
    others = {key: value for key, value in settings.items() if key != "init"}
    return {**others, BEFORE: " → ".join(map(_in_words, before)), EPOCHS_IN_ALL: epochs}


def _in_words(training: Mapping[str, Any]) -> str:
    # Older weights do not have all of it.
    batch, mask, data = (training.get(key) for key in ("batch_size", "mask_ratio", "manifest_hash"))
    return ", ".join(
        [
            f"{training['objective']}, {training['epochs']} epochs, rate {training['base_learning_rate']:g}",
            *([f"batch {batch}"] if batch else []),
            f"layer decay {training['layer_decay']:g}, drop path {training['drop_path'] or 0:g}",
            *([f"mask {mask:g}"] if mask and training["objective"] != "scratch" else []),
            *([f"data {data[:8]}"] if data else []),
        ]
    )


def setting_differences(*sides: Mapping[str, Any]) -> list[SettingDifference]:
    """The keys of nested settings in which the sides are not all the same."""
    flat = [dict(leaves(side)) for side in sides]
    keys = dict.fromkeys(key for values in flat for key in values)
    found = [SettingDifference(key, tuple(values.get(key) for values in flat)) for key in keys]
    return [one for one in found if any(value != one.values[0] for value in one.values)]
