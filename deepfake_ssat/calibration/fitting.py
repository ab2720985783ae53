"""From the videos' logits to a decision: scaling, cuts, and the limits that they hold."""

from __future__ import annotations

from collections.abc import Callable

from deepfake_ssat import metrics
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import ErrorBand, Scaling, VideoLogits
from deepfake_ssat.models.decision import (
    OF_VIDEOS,
    AggregationPolicy,
    Calibration,
    Decision,
    ErrorLimit,
    Wording,
)
from deepfake_ssat.records import FAKE, REAL


def fit_decision(
    videos: VideoLogits,
    method: str,
    false_alarm_rate: float,
    miss_rate: float,
    record: Callable[[str, ErrorLimit, ErrorLimit], Calibration],
    wording: Wording = OF_VIDEOS,
) -> Decision:
    """``record`` makes the calibration of a method with the limits of false alarms and misses.

    Raises ConfigError where scores do not tell the classes apart or leave no room above genuine videos.
    """
    scaling, band = cuts(videos, method, false_alarm_rate, miss_rate, wording)
    return Decision(
        # Where there is a band, fake is said from its upper end on.
        threshold=band.high,
        uncertain_low=band.low,
        uncertain_high=band.high,
        temperature=scaling.temperature,
        bias=scaling.bias,
        calibration=record(method, *_limits(videos, band, false_alarm_rate, miss_rate)),
        aggregation=AggregationPolicy(videos.clip_rule, videos.face_rule),
    )


def cuts(
    videos: VideoLogits,
    method: str,
    false_alarm_rate: float,
    miss_rate: float,
    wording: Wording = OF_VIDEOS,
) -> tuple[Scaling, ErrorBand]:
    """Scaling first, then the two cuts on the scaled probabilities; errors as those of ``fit_decision``."""
    area = metrics.auc(videos.labels, videos.probabilities(Scaling()))
    if area is None or area <= 0.5:
        raise ConfigError(
            f"the {wording.unit} AUC on these {wording.unit}s is {area or 0:.3f}: scores that do not tell "
            f"{wording.verdicts[1]} from {wording.verdicts[0]} cannot become probabilities; train longer, or "
            f"calibrate on other {wording.unit}s"
        )
    scaling = metrics.SCALING_METHODS[method](videos)
    band = metrics.choose_band(videos.labels, videos.probabilities(scaling), false_alarm_rate, miss_rate)
    if band is None:
        raise ConfigError(
            f"more than {100 * false_alarm_rate:g} % of the {wording.classes[0]} {wording.unit}s score 1.0: "
            "no threshold spares them; allow more (--false-alarm-rate), or train another model"
        )
    return scaling, band


def _limits(
    videos: VideoLogits, band: ErrorBand, false_alarm_rate: float, miss_rate: float
) -> tuple[ErrorLimit, ErrorLimit]:
    """The upper limits are of the errors that were allowed: they hold for any cut that allows no more."""
    found = []
    for label, errors, rate in (
        (REAL, band.false_alarms, false_alarm_rate),
        (FAKE, band.misses, miss_rate),
    ):
        number = int((videos.labels == label).sum())
        limit = metrics.upper_limit(metrics.allowed_errors(rate, number), number)
        found.append(ErrorLimit(errors, number, rate, limit))
    return found[0], found[1]
