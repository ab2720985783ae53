"""From logits to a probability of fake and from that to a verdict, and what the verdict's limits rest on.

B batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.records import FAKE, REAL, Verdict


@dataclass(frozen=True)
class ErrorLimit:
    """How often one class was misjudged on the calibration videos, and how often it may be elsewhere."""

    errors: int
    videos: int
    """Of the class."""
    allowed: float
    """The chosen share: ``errors / videos`` is at most this."""
    upper_limit: float
    """With 95 % confidence the share among all videos of this kind is at most this (Clopper-Pearson)."""


@dataclass(frozen=True)
class Calibration:
    """What ``calibrate`` fitted a decision on, and what its limits mean."""

    method: str
    """``temperature`` or ``platt``."""
    false_alarms: ErrorLimit
    """Genuine videos called fake."""
    misses: ErrorLimit
    """Manipulated videos called real."""
    manifests: tuple[str, ...]
    """SHA-256 of each manifest that the videos are of."""
    splits: tuple[str, ...]
    checkpoint_sha256: str
    """Of the file with the same weights before."""

    def in_words(self) -> str:
        """What each verdict means."""
        alarms, misses = self.false_alarms, self.misses
        return (
            f"Calibrated on {alarms.videos} genuine and {misses.videos} manipulated videos. "
            f'"Fake" is said from the probability on that at most {100 * alarms.allowed:g} % of the genuine '
            f"ones reach ({alarms.errors} of {alarms.videos}; of other such videos, with 95 % confidence, at "
            f"most {100 * alarms.upper_limit:.1f} %). "
            f'"Real" is said below the one under which at most {100 * misses.allowed:g} % of the manipulated '
            f"ones lie ({misses.errors} of {misses.videos}; of others at most "
            f"{100 * misses.upper_limit:.1f} %). Between the two nothing is claimed."
        )


@dataclass(frozen=True)
class Decision:
    """How logits become a probability and a probability a verdict; chosen on validation data."""

    threshold: float = 0.5
    uncertain_low: float = 0.4
    uncertain_high: float = 0.6
    """From ``uncertain_low`` up to here nothing is claimed; both equal to the threshold: always a claim."""
    temperature: float = 1.0
    """The difference of the logits is divided by it."""
    bias: float = 0.0
    """Added to that before the sigmoid."""
    calibration: Calibration | None = None
    """None: training chose the threshold and the band, on the videos that it validated on."""

    def __post_init__(self) -> None:
        ordered = 0.0 <= self.uncertain_low <= self.threshold <= self.uncertain_high <= 1.0
        if not ordered or not self.temperature > 0.0 or not abs(self.bias) < float("inf"):
            raise CheckpointError(
                f"{self}: needs 0 <= uncertain_low <= threshold <= uncertain_high <= 1, temperature > 0 and "
                "a finite bias"
            )

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, 2) -> (B,): of fake."""
        return ((logits[:, FAKE] - logits[:, REAL]) / self.temperature + self.bias).sigmoid()

    def verdict(self, probability: float) -> Verdict:
        """What a probability of fake means."""
        if probability >= self.uncertain_high:
            return Verdict.FAKE
        return Verdict.REAL if probability < self.uncertain_low else Verdict.UNCERTAIN


def parse_decision(values: dict[str, Any]) -> Decision:
    """The inverse of ``asdict``; older files have no bias and no calibration."""
    stored = values.get("calibration")
    return Decision(**{**values, "calibration": _calibration(stored) if stored else None})


def _calibration(values: dict[str, Any]) -> Calibration:
    limits = {name: ErrorLimit(**values[name]) for name in ("false_alarms", "misses")}
    lists: dict[str, Sequence[str]] = {name: tuple(values[name]) for name in ("manifests", "splits")}
    return Calibration(**{**values, **limits, **lists})
