"""One measured figure, how a table and a JSON document show it, and the memory of a process."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MEGABYTES_PER_MAXRSS = (1 if sys.platform == "darwin" else 1024) / 1e6


@dataclass(frozen=True)
class Figure:
    """What was measured, in a unit that is a ratio wherever it can be, and what is aimed at."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    more_is_better: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the aim is; None where there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "reached": self.reached}


def markdown(figures: Sequence[Figure]) -> str:
    """A table: figure, measured, aim."""
    lines = ["| | measured | aim |", "|---|---|---|"]
    for figure in figures:
        sign = "≥" if figure.more_is_better else "≤"
        aim = "" if figure.aim is None else f"{sign} {figure.aim:g}{'' if figure.reached else ' (missed)'}"
        lines.append(f"| {figure.name} | {figure.value:.3g} {figure.unit} | {aim} |")
    return "\n".join(lines)


def peak_megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEGABYTES_PER_MAXRSS
