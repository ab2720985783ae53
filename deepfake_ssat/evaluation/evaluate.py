"""Every clip of a manifest's videos scored and measured: all of ``evaluate`` but its words and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from deepfake_ssat.config import TEST_SPLIT, Selection
from deepfake_ssat.evaluation.account import doubts, provenance
from deepfake_ssat.evaluation.evaluation import Evaluation, open_evaluation
from deepfake_ssat.evaluation.groups import measure_groups
from deepfake_ssat.evaluation.selection import choose_rows
from deepfake_ssat.evaluation.threshold import needs_validation, threshold_and_source
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.records import EvalReport, EvaluatedVideo, ManifestRow


def evaluate(
    checkpoint: Path | str | None,
    manifest: Path | str,
    out: Path | str | None = None,
    *,
    selection: Selection = TEST_SPLIT,
    clip_rule: str | None = None,
    face_rule: str | None = None,
    device: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    ray: str | None = None,
    progress: Progress = silent,
) -> EvalReport:
    """Scores every clip of the selected videos of a manifest, and measures.

    The checkpoint is the package's own where it is None. ``out`` is a folder in which clip scores are kept
    as they come: called again after an interruption, it scores only what is missing; without one nothing is
    written. ``clip_rule`` (mean, median or max over a face's clips) and ``face_rule`` (large, max or mean
    over a video's faces) are the checkpoint's unless given; its threshold holds for its own rules only.
    ``batch`` clips are scored at a time, ``seed`` is the bootstrap's, ``ray`` the address of a cluster that
    scores them. Raises DeepfakeError for what the user can correct, such as clips cut otherwise than the
    checkpoint's.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="deepfake-ssat-")) if out is None else out
        evaluation = open_evaluation(
            checkpoint,
            manifest,
            Path(folder),
            clip_rule=clip_rule,
            face_rule=face_rule,
            device=device,
            batch=batch,
            seed=seed,
            ray=ray,
            progress=progress,
        )
        return measure(stack.enter_context(evaluation), selection)


def measure(evaluation: Evaluation, selection: Selection = TEST_SPLIT) -> EvalReport:
    """The report on the selected videos; validation videos are scored too where they choose the threshold."""
    chosen = choose_rows(evaluation.manifest, selection, with_validation=needs_validation(evaluation))
    scored, reused = evaluation.score(chosen.all)
    videos, validation = _of(chosen.evaluated, scored), _of(chosen.validation, scored)
    threshold, source = threshold_and_source(evaluation, validation)
    return EvalReport(
        provenance=provenance(evaluation, selection),
        unit=evaluation.unit,
        threshold=threshold,
        threshold_source=source,
        groups=tuple(measure_groups(videos, threshold, evaluation.seed)),
        videos=tuple(videos),
        dropped=tuple(chosen.dropped),
        warnings=tuple(doubts(evaluation, videos, validation)),
        reused=reused,
    )


def _of(rows: Sequence[ManifestRow], videos: Sequence[EvaluatedVideo]) -> list[EvaluatedVideo]:
    """The videos that these rows are of."""
    names = {(row.corpus, row.video_id) for row in rows}
    return [video for video in videos if (video.corpus, video.video_id) in names]
