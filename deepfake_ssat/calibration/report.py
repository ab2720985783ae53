"""The record of one calibration, and how good its probabilities were before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.decision import Calibration, Decision
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, EvaluatedVideo, Verdict


@dataclass(frozen=True)
class Quality:
    """How well probabilities fit what the videos are; the classes count alike, however many each has."""

    calibration_error: float | None
    """Expected, over ten bins; None with fewer than ten videos."""
    brier: float
    log_loss: float
    auc: float | None


@dataclass(frozen=True)
class LabelledPicture:
    """One picture that a model of pictures was calibrated on."""

    name: str
    label: int
    """0 or 1, by the order of the classes."""


@dataclass(frozen=True)
class CalibrationReport:
    """What ``calibrate`` found; V videos, or of a model of pictures V pictures."""

    provenance: dict[str, Any]
    """JSON values: command, checkpoint, manifests or data, selection, rules."""
    checkpoint: Checkpoint
    """With the new decision."""
    before: Decision
    videos: Sequence[EvaluatedVideo] | Sequence[LabelledPicture]
    """As they were scored for the fit; their probabilities before and after are below."""
    probabilities_before: np.ndarray
    """(V,) by the decision that the checkpoint had."""
    probabilities_after: np.ndarray
    """(V,)"""
    crossed: Sequence[Verdict] | None
    """(V,) of decisions fitted on other people's videos; None where they could not be parted so."""
    dropped: Sequence[DroppedVideo]
    """Videos of the selection that gave no clip."""
    warnings: Sequence[str]
    reused: int = 0
    """Clips (or frames) that an interrupted run had scored before; no result depends on it."""

    @property
    def after(self) -> Decision:
        """The new decision."""
        return self.checkpoint.decision

    @property
    def labels(self) -> np.ndarray:
        """(V,) 0 real, 1 fake."""
        return np.array([video.label for video in self.videos], dtype=int)

    @property
    def calibration(self) -> Calibration:
        """What the new decision rests on."""
        assert self.after.calibration is not None
        return self.after.calibration


def quality(labels: np.ndarray, probabilities: np.ndarray) -> Quality:
    """Of probabilities (V,); both classes are needed."""
    losses = [
        metrics.log_loss(labels[labels == kind], probabilities[labels == kind]) for kind in (REAL, FAKE)
    ]
    return Quality(
        calibration_error=metrics.balanced_calibration_error(labels, probabilities),
        brier=metrics.balanced_brier(labels, probabilities),
        log_loss=float(np.mean([loss for loss in losses if loss is not None])),
        auc=metrics.auc(labels, probabilities),
    )
