"""Calibration with both classes weighted alike: as if half of the videos were fake, whatever their numbers.

A manifest with five fakes to a genuine video says nothing about the share of fakes in the world. N videos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfake_ssat.metrics.intervals import wilson_interval
from deepfake_ssat.metrics.points import CALIBRATION_BINS, Array, bin_numbers, checked
from deepfake_ssat.records import FAKE, REAL


@dataclass(frozen=True)
class ReliabilityBin:
    """The videos whose probabilities fall into one tenth."""

    predicted: float
    """Their mean probability, weighted."""
    observed: float
    """The part of fakes, weighted."""
    low: float
    """The 95 % interval of ``observed``: Wilson's, carried over to the weights."""
    high: float
    num_real: int
    num_fake: int


def balanced_bins(labels: Array, probabilities: Array) -> list[ReliabilityBin]:
    """The bins of equal width that hold any video, the lowest first; both classes are needed."""
    labels, probabilities = checked(labels, probabilities)
    weights, numbers = _weights(labels), bin_numbers(probabilities)
    found = []
    for number in np.unique(numbers):
        inside = numbers == number
        num_real, num_fake = (int(np.sum(inside & (labels == label))) for label in (REAL, FAKE))
        low, high = wilson_interval(num_fake, num_real + num_fake)
        found.append(
            ReliabilityBin(
                predicted=float(np.average(probabilities[inside], weights=weights[inside])),
                observed=_reweighted(num_fake / (num_real + num_fake), labels),
                low=_reweighted(low, labels),
                high=_reweighted(high, labels),
                num_real=num_real,
                num_fake=num_fake,
            )
        )
    return found


def balanced_calibration_error(labels: Array, probabilities: Array) -> float | None:
    """``calibration_error`` with equal classes; None with fewer videos than bins."""
    labels, probabilities = checked(labels, probabilities)
    if len(labels) < CALIBRATION_BINS:
        return None
    excess = np.bincount(bin_numbers(probabilities), _weights(labels) * (probabilities - labels))
    return float(np.abs(excess).sum())


def balanced_brier(labels: Array, probabilities: Array) -> float:
    """The mean squared error of the probabilities with equal classes; always answering 0.5 gives 0.25."""
    labels, probabilities = checked(labels, probabilities)
    return float(np.sum(_weights(labels) * (probabilities - labels) ** 2))


def _weights(labels: np.ndarray) -> np.ndarray:
    """(N,): sum to 1, half of it in each class."""
    numbers = np.bincount(labels, minlength=2)
    return 0.5 / numbers[labels]


def _reweighted(part: float, labels: np.ndarray) -> float:
    """A part of fakes among these videos -> the part if the classes were equal."""
    num_real, num_fake = np.bincount(labels, minlength=2)
    fake, real = part / num_fake, (1 - part) / num_real
    return float(fake / (fake + real))
