"""The two sides of a calibration: what the old and the new decision make of its videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.calibration.report import CalibrationReport, Quality, quality
from deepfake_ssat.metrics import ReliabilityBin
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import FAKE, REAL, Verdict


@dataclass(frozen=True)
class Side:
    """One decision on the videos of a calibration; V videos."""

    name: str
    """``before`` or ``after``."""
    decision: Decision
    probabilities: np.ndarray
    """(V,)"""
    quality: Quality
    bins: list[ReliabilityBin]


def sides(report: CalibrationReport) -> list[Side]:
    """Before, then after."""
    return [
        Side(
            name,
            decision,
            probabilities,
            quality(report.labels, probabilities),
            metrics.balanced_bins(report.labels, probabilities),
        )
        for name, decision, probabilities in (
            ("before", report.before, report.probabilities_before),
            ("after", report.after, report.probabilities_after),
        )
    ]


def verdict_counts(report: CalibrationReport) -> dict[str, dict[str, int]]:
    """How many genuine and how many manipulated videos get each verdict of the new decision."""
    return _counts(report, [report.after.verdict(value) for value in report.probabilities_after.tolist()])


def crossed_counts(report: CalibrationReport) -> dict[str, dict[str, int]] | None:
    """The same of decisions that were fitted on other people's videos."""
    return None if report.crossed is None else _counts(report, report.crossed)


def _counts(report: CalibrationReport, verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    found = Counter(zip(report.labels.tolist(), verdicts, strict=True))
    wording = report.calibration.wording
    return {
        wording.classes[label]: {wording.says(verdict): found[label, verdict] for verdict in Verdict}
        for label in (REAL, FAKE)
    }
