"""How many of each class a calibration rests on at least."""

from __future__ import annotations

from collections.abc import Mapping

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import SMALLEST_CLASS


def require_enough(numbers: Mapping[str, int], remedy: str) -> None:
    """Raises ConfigError where a class has too few; ``numbers`` are by its name, such as genuine videos."""
    for name, number in numbers.items():
        if number < SMALLEST_CLASS:
            raise ConfigError(
                f"there are {number} {name} to calibrate on, at least {SMALLEST_CLASS} of each class are "
                f"needed; {remedy}"
            )
