"""The 95 % interval of a metric's mean over folds that share videos.

R resamples, V distinct videos of all folds, N videos of one fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat.metrics.intervals import CONFIDENCE, RESAMPLES, SMALLEST_CLASS, Interval, Weighted
from deepfake_ssat.records import FAKE, REAL


@dataclass(frozen=True)
class FoldScores:
    """The judged videos of one fold."""

    videos: Sequence[str]
    """(N,) names; the same name in another fold is the same video."""
    labels: np.ndarray
    """(N,) 0 real, 1 fake."""
    probabilities: np.ndarray
    """(N,) of fake, by this fold's model."""
    metric: Weighted
    """With this fold's own threshold, where it has one."""


def mean_interval(folds: Sequence[FoldScores], seed: int, resamples: int = RESAMPLES) -> Interval | None:
    """The percentile interval of the mean over the folds, from resamples of the distinct videos.

    A genuine video that every fold judges is drawn, or not, in all of them at once: the folds are not
    independent, and intervals that took them to be would be too narrow. None where a fold has fewer than
    ``SMALLEST_CLASS`` videos of a class.
    """
    for fold in folds:
        if min(int(np.sum(fold.labels == kind)) for kind in (REAL, FAKE)) < SMALLEST_CLASS:
            return None
    names = sorted({name for fold in folds for name in fold.videos})
    number = {name: place for place, name in enumerate(names)}
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    values = np.mean(
        [
            fold.metric(
                fold.labels,
                fold.probabilities,
                counts[:, [number[name] for name in fold.videos]].astype(float),
            )
            for fold in folds
        ],
        axis=0,
    )
    found = values[~np.isnan(values)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return Interval(float(low), float(high), resamples - len(found))


def weighted_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, threshold: float
) -> np.ndarray:
    """``accuracy`` of each row of weights (R, N)."""
    right = (probabilities >= threshold) == labels
    total = weights.sum(axis=1)
    return np.divide(weights @ right, total, out=np.full(len(total), np.nan), where=total > 0)
