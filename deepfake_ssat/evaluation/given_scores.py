"""Anybody's scores measured as those of a checkpoint are: all of ``evaluate --scores`` but its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepfake_ssat.config import TEST_SPLIT, Selection
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.evaluation.groups import measure_groups
from deepfake_ssat.evaluation.score_table import ScoreTable, read_scores
from deepfake_ssat.evaluation.selection import passes
from deepfake_ssat.evaluation.threshold import chosen_on_themselves, chosen_threshold
from deepfake_ssat.manifest import people
from deepfake_ssat.models.checkpoint import file_hash
from deepfake_ssat.models.decision import AggregationPolicy
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import (
    ClipScore,
    EvalGroup,
    EvalReport,
    EvaluatedVideo,
    SourceVideo,
    Status,
    VideoVerdict,
)

UNIT = "score"
UNKNOWN_SECONDS = float("nan")


def evaluate_scores(
    scores: Path | str,
    *,
    kind: str = "fake",
    labels: Path | str | None = None,
    selection: Selection = TEST_SPLIT,
    rule: str | None = None,
    seed: int = 0,
) -> EvalReport:
    """Measures the scores in a CSV file, such as another program's (docs/scores.md).

    ``kind`` says what they are: probabilities of ``fake`` or of ``real``, or a ``logit`` of fake. ``labels``
    is a data set's JSON of DeepfakeBench, where the table itself has none. The selection's splits count where
    videos have one; those of ``val`` choose the threshold. ``rule`` puts the scores of a video's frames or
    clips together: mean (the default), median or max. Raises DeepfakeError for what the user can correct.
    """
    table = read_scores(Path(scores), kind, None if labels is None else Path(labels))
    policy = AggregationPolicy(faces="max").changed(rule, None)
    every = [_evaluated(video, found, policy) for video, found in table.scores.items()]
    selection = _of_table(selection, every, table.path)
    videos = [video for video in every if passes(video, selection)]
    if not videos:
        raise ManifestError(
            f"{table.path}: none of its {len(every)} videos is selected; it has {_present(every)}"
        )
    of_val = selection.model_copy(update={"splits": ("val",), "manipulations": ()})
    validation = [video for video in every if video.label is not None and passes(video, of_val)]
    threshold, source = chosen_threshold(validation, "this file")
    groups = tuple(measure_groups(videos, threshold, seed))
    return EvalReport(
        provenance=_provenance(table, kind, labels, selection, policy, seed),
        unit=UNIT,
        threshold=threshold,
        threshold_source=source,
        groups=groups,
        videos=tuple(videos),
        dropped=tuple(video for video in table.dropped if passes(video, selection)),
        warnings=tuple(_doubts(videos, validation, groups[0])),
    )


def _evaluated(source: SourceVideo, scores: Sequence[float], policy: AggregationPolicy) -> EvaluatedVideo:
    """One video; a table tells neither faces nor times."""
    clips = tuple(ClipScore(0, UNKNOWN_SECONDS, UNKNOWN_SECONDS, score) for score in scores)
    probability = policy.video_probability(policy.face_probabilities(clips).values())
    return EvaluatedVideo(
        corpus=source.corpus,
        video_id=source.video_id,
        label=source.label,
        manipulation=source.manipulation,
        split=source.split,
        compression=source.compression,
        people=tuple(people([source])),
        verdict=VideoVerdict(str(source.path), Status.SCORED, probability, clips=clips),
    )


def _of_table(selection: Selection, videos: Sequence[EvaluatedVideo], path: Path) -> Selection:
    """Without splits where no video has one."""
    if any(video.split for video in videos):
        return selection
    if selection.splits not in ((), TEST_SPLIT.splits):
        raise ConfigError(f"{path}: has no column split; leave out --split {', '.join(selection.splits)}")
    return selection.model_copy(update={"splits": ()})


def _present(videos: Sequence[EvaluatedVideo]) -> str:
    kinds = ("split", "corpus", "compression", "manipulation")
    values = {kind: sorted({getattr(video, kind) for video in videos} - {""}) for kind in kinds}
    return "; ".join(f"{kind} {', '.join(found)}" for kind, found in values.items() if found)


def _provenance(
    table: ScoreTable,
    kind: str,
    labels: Path | str | None,
    selection: Selection,
    policy: AggregationPolicy,
    seed: int,
) -> dict[str, object]:
    """JSON values, as docs/scores.md lists them."""
    described = None
    if labels is not None:
        described = {"path": str(labels), "sha256": file_hash(labels)}
    counts = [len(found) for found in table.scores.values()]
    numbers = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return {
        "command": typed_command(),
        "scores": {"path": str(table.path), "sha256": table.sha256, "kind": kind},
        "labels": described,
        "training": None,
        "checkpoint": None,
        "manifest": None,
        "selection": selection.model_dump(mode="json"),
        "scoring": {
            "unit": UNIT,
            "rule": f"as they were given, {numbers} a video",
            "aggregation": f"{policy.clips} over a video's scores",
            "bootstrap_seed": seed,
        },
    }


def _doubts(
    videos: Sequence[EvaluatedVideo], validation: Sequence[EvaluatedVideo], everything: EvalGroup
) -> list[str]:
    """Why the figures may say less than they seem to."""
    found = []
    unlabelled = sum(video.label is None for video in videos)
    if unlabelled:
        found.append(f"videos without a label: {unlabelled}, listed in videos.csv but in no metric")
    auc = everything.video["auc"]
    if auc.high is not None and auc.high < 0.5:
        found.append("genuine videos score higher than fakes: if they are of real, say --score-kind real")
    if len({video.probability for video in videos}) <= 2 < len(videos):
        found.append("there are two different scores only: verdicts, no probabilities, rank nothing")
    return found + chosen_on_themselves(videos, validation)
