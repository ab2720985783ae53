"""From the videos' logits to a decision: scaling, cuts, and the limits that they hold."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake_ssat import metrics
from deepfake_ssat.calibration.parts import ChosenPart
from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import ErrorBand, Scaling, VideoLogits
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.decision import AggregationPolicy, Calibration, CrossFit, Decision, ErrorLimit
from deepfake_ssat.records import FAKE, REAL


def fit_decision(
    checkpoint: Checkpoint,
    videos: VideoLogits,
    method: str,
    false_alarm_rate: float,
    miss_rate: float,
    parts: Sequence[ChosenPart],
    selection: Selection,
    elsewhere: CrossFit | None,
) -> Decision:
    """Raises ConfigError where scores do not tell the classes apart or leave no room above genuine videos."""
    scaling, band = cuts(videos, method, false_alarm_rate, miss_rate)
    return Decision(
        # Where there is a band, fake is said from its upper end on.
        threshold=band.high,
        uncertain_low=band.low,
        uncertain_high=band.high,
        temperature=scaling.temperature,
        bias=scaling.bias,
        calibration=Calibration(
            method,
            *_limits(videos, band, false_alarm_rate, miss_rate),
            manifests=tuple(part.manifest.hash for part in parts),
            splits=selection.splits,
            checkpoint_sha256=checkpoint.hash,
            elsewhere=elsewhere,
        ),
        aggregation=AggregationPolicy(videos.clip_rule, videos.face_rule),
    )


def cuts(
    videos: VideoLogits, method: str, false_alarm_rate: float, miss_rate: float
) -> tuple[Scaling, ErrorBand]:
    """Scaling first, then the two cuts on the scaled probabilities; errors as those of ``fit_decision``."""
    area = metrics.auc(videos.labels, videos.probabilities(Scaling()))
    if area is None or area <= 0.5:
        raise ConfigError(
            f"the video AUC on these videos is {area or 0:.3f}: scores that do not tell fake from real "
            "cannot become probabilities; train longer, or calibrate on other videos"
        )
    scaling = metrics.SCALING_METHODS[method](videos)
    band = metrics.choose_band(videos.labels, videos.probabilities(scaling), false_alarm_rate, miss_rate)
    if band is None:
        raise ConfigError(
            f"more than {100 * false_alarm_rate:g} % of the genuine videos score 1.0: no threshold spares "
            "them; allow more (--false-alarm-rate), or train another model"
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
