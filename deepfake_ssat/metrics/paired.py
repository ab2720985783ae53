"""Is one method better than another on the same videos? DeLong's test, paired resampling, Holm's correction.

N videos or pictures, S training runs (seeds) of one method, M methods, R resamples. A method of several runs
is judged by the mean of its runs' metrics: tests speak of the draw of videos, not of that of training runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from deepfake_ssat.metrics.intervals import CONFIDENCE, RESAMPLES, SMALLEST_CLASS, weighted_auc
from deepfake_ssat.records import FAKE, REAL

SMALLEST_TESTED_CLASS = 10
"""With fewer videos of a class DeLong's normal approximation is not to be trusted."""
SMALLEST_SET, SMALLEST_TESTED_SET = 2 * SMALLEST_CLASS, 2 * SMALLEST_TESTED_CLASS
"""Of pictures of any classes, for an interval and for a test."""
SIGN_FLIPS = 9999


@dataclass(frozen=True)
class PairedDifference:
    """A metric of the first method minus that of the second; what few videos cannot give is None."""

    difference: float
    low: float | None
    """The 95 % interval of the paired bootstrap."""
    high: float | None
    p_value: float | None


def delong(labels: np.ndarray, scores: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean AUC of each method (M,) and the covariance of the means (M, M) over the draw of videos.

    Each of ``scores`` is (S, N): a method's runs. DeLong, DeLong and Clarke-Pearson 1988, by ranks (Sun and
    Xu 2014): a fake's placement is the part of the genuine videos that score below it, ties half.
    """
    fakes, reals = labels == FAKE, labels == REAL
    placed = [_placements(np.atleast_2d(runs), fakes, reals) for runs in scores]
    of_fakes, of_reals = (np.stack([both[side] for both in placed]) for side in (0, 1))
    covariance = np.atleast_2d(np.cov(of_fakes)) / fakes.sum() + np.atleast_2d(np.cov(of_reals)) / reals.sum()
    return of_fakes.mean(axis=1), covariance


def compare_auc(labels: np.ndarray, first: np.ndarray, second: np.ndarray, seed: int) -> PairedDifference:
    """The difference of the mean AUCs of runs (S, N), with DeLong's two-sided p-value."""
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    areas = [_mean_auc(labels, runs) for runs in (first, second)]
    difference = float(areas[0] - areas[1])
    interval = _auc_interval(labels, first, second, seed)
    if _smallest(labels) < SMALLEST_TESTED_CLASS:
        return PairedDifference(difference, *interval, None)
    if abs(difference) < 1e-12:
        # Scores that rank alike have neither a difference nor, up to rounding, a variance.
        return PairedDifference(difference, *interval, 1.0)
    _, covariance = delong(labels, [first, second])
    variance = max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 1e-300)
    return PairedDifference(difference, *interval, float(2 * norm.sf(abs(difference) / np.sqrt(variance))))


def compare_accuracy(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, seed: int
) -> PairedDifference:
    """The difference of the mean accuracies; ``first`` and ``second`` (S, N) are calls of fake, 1 or 0.

    The p-value is of sign flips: if the methods were alike, each video's difference could as well have the
    other sign. For single runs this is McNemar's exact test, up to the number of draws.
    """
    right = [np.atleast_2d(calls) == labels for calls in (first, second)]
    smallest = _smallest(labels)
    return _compare_right(
        right[0], right[1], seed, smallest >= SMALLEST_CLASS, smallest >= SMALLEST_TESTED_CLASS
    )


def compare_hits(first: np.ndarray, second: np.ndarray, seed: int) -> PairedDifference:
    """The same of pictures of any number of classes: (S, N), 1 where a run is right.

    How pictures are spread over classes does not matter to sign flips: that there are enough in all does.
    """
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    pictures = first.shape[1]
    return _compare_right(first, second, seed, pictures >= SMALLEST_SET, pictures >= SMALLEST_TESTED_SET)


def hits_interval(runs: np.ndarray, seed: int) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of the mean accuracy of runs (S, N), 1 where one is right."""
    if runs.shape[1] < SMALLEST_SET:
        return None, None
    return _mean_interval(runs.mean(axis=0), seed)


def _compare_right(
    first: np.ndarray, second: np.ndarray, seed: int, has_interval: bool, is_tested: bool
) -> PairedDifference:
    each = first.mean(axis=0) - second.mean(axis=0)
    low, high = _mean_interval(each, seed) if has_interval else (None, None)
    p_value = _sign_flip_p_value(each[each != 0], seed) if is_tested else None
    return PairedDifference(float(each.mean()), low, high, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values raised so that the chance of any false "real" among all stays at its level (Holm 1979)."""
    order = np.argsort(p_values)
    raised, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        raised[index] = highest
    return raised


def _placements(runs: np.ndarray, fakes: np.ndarray, reals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, N) -> each fake's part of reals below it, each real's part of fakes above it; the runs' means."""
    num_fake, num_real = fakes.sum(), reals.sum()
    among_all = rankdata(runs, axis=1)
    below = (among_all[:, fakes] - rankdata(runs[:, fakes], axis=1)) / num_real
    above = 1 - (among_all[:, reals] - rankdata(runs[:, reals], axis=1)) / num_fake
    return below.mean(axis=0), above.mean(axis=0)


def _sign_flip_p_value(differences: np.ndarray, seed: int) -> float:
    """How often their sum is as large with signs drawn at random, the observed signs counted once more."""
    generator = np.random.default_rng(seed)
    as_large = 1
    # In blocks: thousands of videos times thousands of draws would fill the memory.
    for block in np.array_split(np.arange(SIGN_FLIPS), 10):
        signs = generator.integers(0, 2, (len(block), len(differences))) * 2 - 1
        as_large += int(np.sum(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9))
    return as_large / (1 + SIGN_FLIPS)


def _mean_auc(labels: np.ndarray, runs: np.ndarray) -> float:
    every = np.ones((1, len(labels)))
    return float(np.mean([weighted_auc(labels, run, every) for run in runs]))


def _auc_interval(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, seed: int
) -> tuple[float | None, float | None]:
    """The percentile interval of the difference of mean AUCs; both see the same resamples."""
    if _smallest(labels) < SMALLEST_CLASS:
        return None, None
    weights = _resampled(len(labels), np.random.default_rng(seed), RESAMPLES)
    means = [
        np.mean([weighted_auc(labels, run, weights) for run in runs], axis=0) for runs in (first, second)
    ]
    return _percentiles(means[0] - means[1])


def _mean_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    # In blocks: the weights of all resamples of ImageNet's pictures would be 400 MB.
    blocks = np.array_split(np.arange(RESAMPLES), 50)
    means = [_resampled(len(values), generator, len(block)) @ values / len(values) for block in blocks]
    return _percentiles(np.concatenate(means))


def _resampled(videos: int, generator: np.random.Generator, resamples: int) -> np.ndarray:
    """(R, N): how often each resample drew each video."""
    return generator.multinomial(videos, np.full(videos, 1 / videos), size=resamples).astype(float)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[~np.isnan(values)], (tail, 1 - tail))
    return float(low), float(high)


def _smallest(labels: np.ndarray) -> int:
    return int(min(np.sum(labels == kind) for kind in (REAL, FAKE)))
