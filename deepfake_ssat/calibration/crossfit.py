"""How a calibration does on people whom it was not fitted on: each part judged by a fit on the others.

V videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from deepfake_ssat.calibration.fitting import cuts
from deepfake_ssat.corpora.splits import connected
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import SMALLEST_CLASS, VideoLogits
from deepfake_ssat.models.decision import CrossFit, Decision
from deepfake_ssat.records import FAKE, REAL, Verdict

PARTS = 5


def cross_fitted(
    videos: VideoLogits,
    people: Sequence[Sequence[str]],
    method: str,
    false_alarm_rate: float,
    miss_rate: float,
) -> list[Verdict] | None:
    """(V,) verdicts, each of a decision that was fitted on videos of other people (or scenes) alone.

    None where the videos cannot be parted so: too few people, or parts whose rest cannot be fitted.
    """
    parts = parts_of(videos.labels, people)
    found = [Verdict.UNCERTAIN] * len(videos.labels)
    for part in range(PARTS):
        judged, others = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        counts = np.bincount(videos.labels[others], minlength=2)
        if not len(judged) or counts.min() < SMALLEST_CLASS:
            return None
        try:
            scaling, band = cuts(videos.part(others), method, false_alarm_rate, miss_rate)
        except ConfigError:
            return None
        decision = Decision(threshold=band.high, uncertain_low=band.low, uncertain_high=band.high)
        for video, probability in zip(judged, videos.part(judged).probabilities(scaling), strict=True):
            found[video] = decision.verdict(float(probability))
    return found


def counted(labels: np.ndarray, verdicts: Sequence[Verdict]) -> CrossFit:
    """The errors among them, as a checkpoint keeps them."""
    found = Counter(zip(labels.tolist(), verdicts, strict=True))
    return CrossFit(
        parts=PARTS,
        false_alarms=found[REAL, Verdict.FAKE],
        misses=found[FAKE, Verdict.REAL],
        uncertain=found[REAL, Verdict.UNCERTAIN] + found[FAKE, Verdict.UNCERTAIN],
    )


def parts_of(labels: np.ndarray, people: Sequence[Sequence[str]]) -> np.ndarray:
    """(V,): the part of each video. Nobody is in two; both classes are spread as evenly as that allows."""
    totals = np.maximum(np.bincount(labels, minlength=2), 1)
    filled = np.zeros((PARTS, 2))
    parts = np.zeros(len(people), dtype=int)
    for group in sorted(connected(people), key=lambda own: (-len(own), own[0])):
        shares = np.bincount(labels[group], minlength=2) / totals
        part = int(np.argmin(((filled + shares) ** 2 - filled**2).sum(axis=1)))
        filled[part] += shares
        parts[group] = part
    return parts
