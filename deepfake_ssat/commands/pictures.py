"""What ``evaluate`` and ``calibrate`` refuse of a checkpoint that was trained on pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError


def refuse_options_of_videos(checkpoint: Path, selection: Selection, others: Mapping[str, object]) -> None:
    """ConfigError for the first option of videos that was given: of a selection, or of the others by name."""
    of_selection = {f"--{key.rstrip('s')}": value for key, value in selection if key != "splits"}
    given = [option for option, value in {**others, **of_selection}.items() if value]
    if given:
        raise ConfigError(f"{checkpoint}: was trained on pictures, {given[0]} is of videos; leave it out")


def one_split(splits: Sequence[str]) -> str:
    """The only one; ConfigError for several."""
    if len(splits) != 1:
        raise ConfigError(f"--split {', '.join(splits)}: pictures are measured on one split; give one")
    return splits[0]
