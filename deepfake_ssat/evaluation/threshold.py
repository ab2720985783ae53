"""The threshold of an evaluation: the checkpoint's, or one chosen on the manifest's validation videos."""

from __future__ import annotations

from collections.abc import Sequence

from deepfake_ssat.evaluation.evaluation import Evaluation
from deepfake_ssat.metrics import choose_threshold
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import EvaluatedVideo


def needs_validation(evaluation: Evaluation) -> bool:
    """Whether validation videos have to choose it: the checkpoint has none, or one for other scores."""
    return evaluation.decision is None or not evaluation.decision.is_chosen


def threshold_and_source(
    evaluation: Evaluation, validation: Sequence[EvaluatedVideo]
) -> tuple[float | None, str]:
    """The checkpoint's, or the one of best balanced accuracy on the validation videos; and its origin."""
    own = evaluation.detector.checkpoint.decision
    if not needs_validation(evaluation):
        return own.threshold, _origin(own)
    why = "the checkpoint stores none"
    if own.is_chosen:
        why = f"the checkpoint's is for scores put together as {own.aggregation.in_words()}"
    if not validation:
        return None, f"{why} and the manifest has no validation videos"
    chosen = choose_threshold(
        [int(video.label or 0) for video in validation], [video.probability for video in validation]
    )
    where = f"{len(validation)} validation videos of this manifest"
    if chosen is None:
        return None, f"{why} and the {where} are of one class"
    reason = f"; {why}" if own.is_chosen else ""
    return chosen, f"the best balanced accuracy on the {where}{reason}"


def _origin(decision: Decision) -> str:
    found = decision.calibration
    if found is None:
        return "stored in the checkpoint, chosen on its validation videos"
    return (
        f"stored in the checkpoint, calibrated on {found.false_alarms.videos} genuine and "
        f"{found.misses.videos} manipulated videos for at most {100 * found.false_alarms.allowed:g} % "
        "false alarms"
    )
