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
    chosen, source = chosen_threshold(validation, "this manifest")
    if chosen is None:
        return None, f"{why} and {source}"
    return chosen, f"{source}; {why}" if own.is_chosen else source


def chosen_threshold(validation: Sequence[EvaluatedVideo], where: str) -> tuple[float | None, str]:
    """The one of best balanced accuracy on the validation videos of ``where``, and this, or why none."""
    videos = f"{len(validation)} validation videos of {where}"
    if not validation:
        return None, f"{where} has no validation videos"
    chosen = choose_threshold(
        [int(video.label or 0) for video in validation], [video.probability for video in validation]
    )
    if chosen is None:
        return None, f"the {videos} are of one class"
    return chosen, f"the best balanced accuracy on the {videos}"


def chosen_on_themselves(videos: Sequence[EvaluatedVideo], validation: Sequence[EvaluatedVideo]) -> list[str]:
    """A doubt where the threshold was chosen on videos that it is measured on."""
    shared = {video.name for video in videos} & {video.name for video in validation}
    if not shared:
        return []
    return [
        f"the threshold was chosen on {len(shared)} of the evaluated videos themselves: acc@val and "
        "bal@val are too good"
    ]


def _origin(decision: Decision) -> str:
    found = decision.calibration
    if found is None:
        return "stored in the checkpoint, chosen on its validation videos"
    return (
        f"stored in the checkpoint, calibrated on {found.false_alarms.videos} genuine and "
        f"{found.misses.videos} manipulated videos for at most {100 * found.false_alarms.allowed:g} % "
        "false alarms"
    )
