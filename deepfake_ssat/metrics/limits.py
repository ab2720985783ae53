"""Two cuts that hold each error rate on given videos, and what that says about other videos."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from deepfake_ssat.metrics.points import Array, checked, choose_threshold
from deepfake_ssat.records import FAKE, REAL

LIMIT_CONFIDENCE = 0.95


@dataclass(frozen=True)
class ErrorBand:
    """``fake`` from ``high`` on, ``real`` below ``low``, nothing between."""

    low: float
    high: float
    false_alarms: int
    """Genuine videos at or above ``high``."""
    misses: int
    """Fakes below ``low``."""


def choose_band(
    labels: Array, probabilities: Array, false_alarm_rate: float, miss_rate: float
) -> ErrorBand | None:
    """The lowest cut for ``fake`` and the highest for ``real`` at which the errors are at most these parts.

    A cut lies half-way between two scores. Where both rates hold at one cut there is no band: it is the one
    of the highest balanced accuracy among those. None where genuine videos at 1.0 leave no room above them.
    """
    labels, probabilities = checked(labels, probabilities)
    scores = np.unique(probabilities)
    reals, fakes = np.sort(probabilities[labels == REAL]), np.sort(probabilities[labels == FAKE])
    spared = reals[-1 - allowed_errors(false_alarm_rate, len(reals))]
    found = fakes[allowed_errors(miss_rate, len(fakes))]
    if spared >= 1.0:
        return None
    above, below = scores[scores > spared], scores[scores < found]
    # Two neighbouring floats have no number between them: the cut is then the upper one.
    high = max((spared + (above[0] if len(above) else 1.0)) / 2, np.nextafter(spared, 1.0))
    low = max((found + below[-1]) / 2, np.nextafter(below[-1], 1.0)) if len(below) else found / 2
    best = choose_threshold(labels, probabilities)
    if low >= high and best is not None:
        low = high = min(max(best, high), low)
    return ErrorBand(float(low), float(high), int(np.sum(reals >= high)), int(np.sum(fakes < low)))


def allowed_errors(rate: float, videos: int) -> int:
    """How many of the videos a rate allows, at least one being judged rightly."""
    # The rounding keeps 0.07 * 100 from being 7.000000000000001, or just below 7.
    return min(math.floor(round(rate * videos, 9)), videos - 1)


def upper_limit(errors: int, videos: int, confidence: float = LIMIT_CONFIDENCE) -> float:
    """The one-sided limit of a share of which ``errors`` of ``videos`` were seen (Clopper and Pearson 1934).

    For a cut placed above all but ``errors`` of the videos it is exact, whatever their distribution (Wilks
    1941): the share beyond an order statistic follows this very beta distribution.
    """
    return 1.0 if errors >= videos else float(beta.ppf(confidence, errors + 1, videos - errors))


def videos_needed(rate: float, confidence: float = LIMIT_CONFIDENCE) -> int:
    """The fewest videos of a class of which none misjudged shows that the rate holds."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - rate))
