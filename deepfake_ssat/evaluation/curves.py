"""What the pictures of an evaluation show: ROC curves of its groups, and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.evaluation.groups import group_members
from deepfake_ssat.metrics import ReliabilityBin
from deepfake_ssat.records import EvalGroup, EvalReport, EvaluatedVideo


@dataclass(frozen=True)
class RocCurve:
    """The trade-off of one group of videos, from the strictest threshold to the mildest."""

    group: EvalGroup
    false_positive_rates: np.ndarray
    true_positive_rates: np.ndarray


def roc_curves(report: EvalReport) -> list[RocCurve]:
    """One for each group that has both classes, in the report's order."""
    curves = []
    for group in report.groups:
        members = group_members(report.videos, group.corpus, group.compression, group.manipulation)
        points = metrics.roc_points(*_labels_and_probabilities(members))
        if points is not None:
            curves.append(RocCurve(group, *points[:2]))
    return curves


def reliability(report: EvalReport) -> list[ReliabilityBin]:
    """The part of fakes in each tenth of the probabilities, every labelled video counting alike."""
    labelled = [video for video in report.videos if video.label is not None]
    return [
        ReliabilityBin(
            predicted,
            observed,
            *metrics.wilson_interval(round(observed * number), number),
            num_real=number - round(observed * number),
            num_fake=round(observed * number),
        )
        for predicted, observed, number in metrics.reliability_bins(*_labels_and_probabilities(labelled))
    ]


def _labels_and_probabilities(videos: Sequence[EvaluatedVideo]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([video.label for video in videos], dtype=int),
        np.array([video.probability for video in videos], dtype=float),
    )
