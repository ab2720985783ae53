"""What perturbations do to the metrics: one result for each kind and level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepfake_ssat.evaluation.groups import video_estimates
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Estimate, EvaluatedVideo
from deepfake_ssat.video.perturbation import KINDS, Perturbation

NONE = "none"
"""The result of the pictures as they are; its level is 0."""
METRICS = ("auc", "accuracy_at_threshold", "accuracy_at_half")


@dataclass(frozen=True)
class PerturbedResult:
    """The metrics under one perturbation."""

    kind: str
    level: int
    value: float | None
    """Of the kind's parameter."""
    num_real: int
    num_fake: int
    num_clips: int
    metrics: dict[str, Estimate]
    """``METRICS``, over videos."""
    dropped: tuple[DroppedVideo, ...]
    """Videos that have clips as they are and gave none under the perturbation."""


@dataclass(frozen=True)
class RobustnessReport:
    """All of them, the unperturbed first, and what they are about."""

    on: Literal["clips", "videos"]
    provenance: dict[str, Any]
    """The evaluation's."""
    seed: int
    threshold: float | None
    threshold_source: str
    results: tuple[PerturbedResult, ...]
    warnings: tuple[str, ...]

    @property
    def kinds(self) -> list[str]:
        """Those that were applied."""
        return list(dict.fromkeys(result.kind for result in self.results if result.level))

    def find(self, kind: str, level: int) -> PerturbedResult:
        """Level 0 is the same for all kinds."""
        wanted = (kind, level) if level else (NONE, 0)
        return next(result for result in self.results if (result.kind, result.level) == wanted)

    @property
    def shown_metrics(self) -> tuple[str, str]:
        """AUC, and the accuracy at the validation threshold; without one, at 0.5."""
        return "auc", "accuracy_at_half" if self.threshold is None else "accuracy_at_threshold"


def measure_perturbed(
    perturbation: Perturbation | None,
    videos: Sequence[EvaluatedVideo],
    dropped: Sequence[DroppedVideo],
    threshold: float | None,
    seed: int,
) -> PerturbedResult:
    """Metrics and intervals over the labelled videos; None is the pictures as they are."""
    labelled = [video for video in videos if video.label is not None]
    labels = np.array([video.label for video in labelled], dtype=int)
    estimates = video_estimates(
        labels, np.array([video.probability for video in labelled], dtype=float), threshold, seed
    )
    return PerturbedResult(
        kind=perturbation.kind if perturbation else NONE,
        level=perturbation.level if perturbation else 0,
        value=KINDS[perturbation.kind].values[perturbation.level - 1] if perturbation else None,
        num_real=int(np.sum(labels == REAL)),
        num_fake=int(np.sum(labels == FAKE)),
        num_clips=sum(len(video.clips) for video in labelled),
        metrics={name: estimates[name] for name in METRICS},
        dropped=tuple(dropped),
    )
