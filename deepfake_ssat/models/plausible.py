"""What a checkpoint's settings may ask for before its weights are looked at: what the file could fill.

The weights' shapes are compared with a network that is built first, without memory for its weights. But its
blocks are made one by one, its table of positions is computed, and the self-test makes a clip: a damaged or
hostile header must not make these fill the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from deepfake_ssat.config.baselines import NetworkSettings

MOST_VALUES = 1 << 28
"""Of one clip and of a table of positions; ViT-L on 64 frames of 512² pixels has 50 and 34 million."""


def implausible(settings: NetworkSettings, num_weights: int) -> str:
    """What is too much, with its number; empty for settings that a file of so many weights may have."""
    values = settings.frames * settings.image_size**2 * settings.channels
    if values > MOST_VALUES:
        return f"a clip of {settings.frames} × {settings.image_size}² × {settings.channels} values"
    numbers = list(_numbers(settings.model_dump()))
    for name, number in numbers:
        if not number <= MOST_VALUES:
            return f"{name} {number:g}"
        if ("depth" in name or "rounds" in name) and number > num_weights:
            return f"{name} {number}, more than the file has weights"
    width = max((number for name, number in numbers if name.endswith("width")), default=1)
    grids = [getattr(settings, "grid", ()), getattr(settings, "position_grid", ()) or ()]
    if max(map(prod, grids)) * width > MOST_VALUES:
        return f"a table of positions of {max(map(prod, grids))} × {width} values"
    return ""


def _numbers(values: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of nested settings, under the name of the setting that it belongs to."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _numbers(value, f"{name}.{key}" if name else key)
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _numbers(value, name)
    elif isinstance(values, (int, float)):
        yield name, values
