"""How well probabilities of fake tell real from fake: one number a metric, on plain arrays.

``labels`` (N,) are 0 real or 1 fake, ``probabilities`` (N,) of fake; one entry a video, or a clip where said
so. A metric that the data cannot give is None: an AUC needs both classes, a rate at 1 % needs 100 videos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from deepfake_ssat.records import FAKE, REAL

CALIBRATION_BINS = 10
SMALLEST_PROBABILITY = 1e-7
"""Probabilities are kept so far from 0 and 1 before their logarithm, as float32 can hold no closer to 1."""

Array = np.ndarray | Sequence[float]


def auc(labels: Array, probabilities: Array) -> float | None:
    """Area under the ROC curve: how often a fake scores above a real one, ties counted half."""
    labels, probabilities = checked(labels, probabilities)
    return float(roc_auc_score(labels, probabilities)) if _both_classes(labels) else None


def average_precision(labels: Array, probabilities: Array) -> float | None:
    """The precision of "fake", averaged over the recall; chance level is the fraction of fakes."""
    labels, probabilities = checked(labels, probabilities)
    return float(average_precision_score(labels, probabilities)) if _both_classes(labels) else None


def equal_error_rate(labels: Array, probabilities: Array) -> float | None:
    """Where as many reals are called fake as fakes real, interpolated between the points of the ROC curve."""
    curve = roc_points(labels, probabilities)
    if curve is None:
        return None
    return float(crossing(curve[0][None], 1 - curve[1][None])[0])


def true_positive_rate_at(labels: Array, probabilities: Array, false_positive_rate: float) -> float | None:
    """The largest part of the fakes found while at most this part of the reals is called fake.

    Not interpolated: a threshold exists that does it. None with fewer than 1 / rate reals, which cannot tell.
    """
    curve = roc_points(labels, probabilities)
    if curve is None or np.sum(np.asarray(labels) == REAL) < 1 / false_positive_rate:
        return None
    return float(curve[1][curve[0] <= false_positive_rate].max())


def accuracy(labels: Array, probabilities: Array, threshold: float = 0.5) -> float | None:
    """The part judged rightly when a probability of at least ``threshold`` is called fake."""
    labels, probabilities = checked(labels, probabilities)
    return float(np.mean((probabilities >= threshold) == labels)) if len(labels) else None


def balanced_accuracy(labels: Array, probabilities: Array, threshold: float = 0.5) -> float | None:
    """The mean of the accuracies on reals and on fakes, which class sizes do not move."""
    labels, probabilities = checked(labels, probabilities)
    if not _both_classes(labels):
        return None
    right = (probabilities >= threshold) == labels
    return float((right[labels == REAL].mean() + right[labels == FAKE].mean()) / 2)


def log_loss(labels: Array, probabilities: Array) -> float | None:
    """Mean negative logarithm of the probability given to the true class; chance with p = 0.5 is 0.693."""
    labels, probabilities = checked(labels, probabilities)
    return float(log_losses(labels, probabilities).mean()) if len(labels) else None


def calibration_error(labels: Array, probabilities: Array) -> float | None:
    """Expected calibration error over ``CALIBRATION_BINS`` bins of equal width (Guo et al. 2017, eq. 3).

    The distance between the mean probability and the part of fakes of a bin, averaged over the videos. Biased
    upwards in small sets, and by resampling once more, so it has no bootstrap interval. None with fewer
    videos than bins.
    """
    labels, probabilities = checked(labels, probabilities)
    if len(labels) < CALIBRATION_BINS:
        return None
    excess = np.bincount(bin_numbers(probabilities), probabilities - labels)
    return float(np.abs(excess).sum() / len(labels))


def roc_points(labels: Array, probabilities: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """False positive rates, true positive rates and thresholds, every distinct one; None for one class."""
    labels, probabilities = checked(labels, probabilities)
    return roc_curve(labels, probabilities, drop_intermediate=False) if _both_classes(labels) else None


def reliability_bins(labels: Array, probabilities: Array) -> list[tuple[float, float, int]]:
    """(mean probability, part of fakes, videos) of each bin of ``calibration_error`` that holds any."""
    labels, probabilities = checked(labels, probabilities)
    bins = bin_numbers(probabilities)
    return [
        (float(probabilities[bins == number].mean()), float(labels[bins == number].mean()), int(count))
        for number, count in enumerate(np.bincount(bins, minlength=CALIBRATION_BINS))
        if count
    ]


def choose_threshold(labels: Array, probabilities: Array) -> float | None:
    """The threshold of the highest balanced accuracy (Youden's index); None for one class only.

    To be called with validation videos. It lies half-way between two neighbouring scores; among equally good
    ones the nearest to 0.5 is taken.
    """
    labels, probabilities = checked(labels, probabilities)
    if not _both_classes(labels):
        return None
    scores = np.unique(probabilities)
    candidates = (scores[1:] + scores[:-1]) / 2 if len(scores) > 1 else np.array([0.5])
    reals, fakes = np.sort(probabilities[labels == REAL]), np.sort(probabilities[labels == FAKE])
    found = 1 - np.searchsorted(fakes, candidates) / len(fakes)
    spared = np.searchsorted(reals, candidates) / len(reals)
    best = np.round(found + spared, 12)
    tied = candidates[best == best.max()]
    return float(tied[np.argmin(np.abs(tied - 0.5))])


def checked(labels: Array, probabilities: Array) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays (N,), int and float64; raises ValueError where they are not labels and probabilities."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if labels.shape != probabilities.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and probabilities {probabilities.shape} must both be (N,)")
    if not np.isin(labels, (REAL, FAKE)).all():
        raise ValueError(f"labels are {np.unique(labels)[:4]}, must be {REAL} (real) or {FAKE} (fake)")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]; one does not, or is not a number")
    return labels.astype(int), probabilities


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,): of each entry."""
    of_true_class = np.where(labels == FAKE, probabilities, 1 - probabilities)
    return -np.log(np.clip(of_true_class, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def bin_numbers(probabilities: np.ndarray) -> np.ndarray:
    """(N,) int: which calibration bin each falls in; 1.0 belongs to the last."""
    return np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


def crossing(false_positives: np.ndarray, false_negatives: np.ndarray) -> np.ndarray:
    """Where rates (R, K), one rising from 0 to 1 and one falling from 1 to 0, meet: (R,), interpolated."""
    difference = false_positives - false_negatives
    after = np.argmax(difference >= 0, axis=1)[:, None]
    low, high = (np.take_along_axis(difference, index, axis=1) for index in (after - 1, after))
    start, end = (np.take_along_axis(false_positives, index, axis=1) for index in (after - 1, after))
    return (start - low / (high - low) * (end - start))[:, 0]


def _both_classes(labels: np.ndarray) -> bool:
    return bool((labels == REAL).any() and (labels == FAKE).any())
