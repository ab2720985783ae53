"""95 % intervals of the metrics: percentile bootstrap over videos, and Wilson's for proportions.

N entries (videos or clips), R resamples, K distinct scores. Each metric is written once more here as a
function of entry weights: for 700 videos, a thousand calls of scikit-learn take over 30 times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat.metrics.points import (
    Array,
    checked,
    crossing,
    log_losses,
)
from deepfake_ssat.records import FAKE, REAL

SMALLEST_CLASS = 5
"""No interval is drawn from fewer videos of a class: resamples of so few do not show the spread."""
RESAMPLES = 1000
CONFIDENCE = 0.95
_BLOCK_VALUES = 4_000_000
"""Resampled weights held at a time."""

Weighted = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(labels (N,), probabilities (N,), weights (R, N)) -> (R,) values; NaN where undefined."""


@dataclass(frozen=True)
class Interval:
    """A percentile bootstrap interval."""

    low: float
    high: float
    skipped: int
    """Resamples in which the metric is undefined, because they drew one class only."""


def bootstrap_interval(
    metric: Weighted,
    labels: Array,
    probabilities: Array,
    seed: int,
    videos: np.ndarray | Sequence[int] | None = None,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """The 95 % percentile interval over resamples of the videos, drawn with replacement.

    ``metric`` is one of the weighted functions below. ``videos`` (N,) numbers the video of each entry where
    entries are clips; a video's clips stay together. Classes fall as they are drawn; resamples without a
    value are skipped and counted. None with fewer than ``SMALLEST_CLASS`` videos of a class.
    """
    labels, probabilities = checked(labels, probabilities)
    members = np.arange(len(labels)) if videos is None else np.unique(videos, return_inverse=True)[1]
    smallest = min(len(np.unique(members[labels == label])) for label in (REAL, FAKE))
    if smallest < SMALLEST_CLASS:
        return None
    generator = np.random.default_rng(seed)
    num_videos = int(members.max()) + 1
    block = max(1, _BLOCK_VALUES // len(labels))
    values = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        counts = generator.multinomial(num_videos, np.full(num_videos, 1 / num_videos), size=rows)
        values.append(metric(labels, probabilities, counts[:, members].astype(float)))
    found = np.concatenate(values)
    found = found[~np.isnan(found)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return Interval(float(low), float(high), resamples - len(found))


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927), which stays honest at 0 and at 1."""
    z = 1.959963984540054
    proportion, shrink = successes / trials, 1 + z * z / trials
    centre = (proportion + z * z / (2 * trials)) / shrink
    half = z * np.sqrt(proportion * (1 - proportion) / trials + z * z / (4 * trials**2)) / shrink
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def weighted_auc(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``auc`` of each row of weights."""
    reals, fakes = _weights_by_score(labels, probabilities, weights)
    below = reals.sum(axis=1, keepdims=True) - reals.cumsum(axis=1) + reals / 2
    return _ratio((fakes * below).sum(axis=1), reals.sum(axis=1) * fakes.sum(axis=1))


def weighted_average_precision(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """``average_precision`` of each row of weights."""
    reals, fakes = _weights_by_score(labels, probabilities, weights)
    found = fakes.cumsum(axis=1)
    # Where nothing has been called fake yet, the precision counts for nothing.
    precision = found / np.maximum(found + reals.cumsum(axis=1), 1)
    both = np.where(reals.sum(axis=1) > 0, fakes.sum(axis=1), 0)
    return _ratio((fakes * precision).sum(axis=1), both)


def weighted_equal_error_rate(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """``equal_error_rate`` of each row of weights."""
    false_positives, true_positives = _rates(labels, probabilities, weights)
    return crossing(false_positives, 1 - true_positives)


def weighted_true_positive_rate(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, false_positive_rate: float
) -> np.ndarray:
    """``true_positive_rate_at`` of each row of weights."""
    false_positives, true_positives = _rates(labels, probabilities, weights)
    allowed = np.where(false_positives <= false_positive_rate, true_positives, 0).max(axis=1)
    return np.where(np.isnan(true_positives[:, -1] + false_positives[:, -1]), np.nan, allowed)


def weighted_balanced_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, threshold: float
) -> np.ndarray:
    """``balanced_accuracy`` of each row of weights."""
    right = (probabilities >= threshold) == labels
    parts = [
        _ratio(weights @ (right & (labels == kind)), weights @ (labels == kind)) for kind in (REAL, FAKE)
    ]
    return (parts[0] + parts[1]) / 2


def weighted_log_loss(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``log_loss`` of each row of weights."""
    return weights @ log_losses(labels, probabilities) / weights.sum(axis=1)


def _weights_by_score(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (R, N) -> those of the reals and of the fakes (R, K) at each distinct score, highest first."""
    order = np.argsort(-probabilities, kind="stable")
    starts = np.flatnonzero(np.diff(probabilities[order], prepend=np.inf))
    ordered = weights[:, order]
    reals, fakes = (
        np.add.reduceat(ordered * (labels[order] == kind), starts, axis=1) for kind in (REAL, FAKE)
    )
    return reals, fakes


def _rates(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates (R, K + 1), from nothing to everything called fake; NaN if undefined."""
    false_positives, true_positives = (
        np.pad(_ratio(kind.cumsum(axis=1), kind.sum(axis=1, keepdims=True)), ((0, 0), (1, 0)))
        for kind in _weights_by_score(labels, probabilities, weights)
    )
    return false_positives, true_positives


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where the whole is 0, without a warning: that resample is skipped."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
