"""Every kind and level of perturbation, on stored clips or source videos: what is asked for, and its scores.

Scores lie in the evaluation's folder, in ``perturbed_<clips|videos>/``; an interrupted run goes on from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.evaluation import Evaluation, evaluated_video
from deepfake_ssat.evaluation.perturbed_clips import score_perturbed_clips
from deepfake_ssat.evaluation.perturbed_videos import Sources, judge_perturbed_videos
from deepfake_ssat.evaluation.robustness import RobustnessReport, measure_perturbed
from deepfake_ssat.evaluation.selection import choose_rows
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import DroppedVideo, EvalReport, EvaluatedVideo, ManifestRow, VideoVerdict
from deepfake_ssat.video.perturbation import KINDS, LEVELS, Perturbation

ALL = "all"
On = Literal["clips", "videos"]
Measured = tuple[Perturbation | None, list[EvaluatedVideo], list[DroppedVideo]]
"""None: the pictures as they are."""


@dataclass(frozen=True)
class PerturbOptions:
    """What the user asked for; checked when made."""

    names: tuple[str, ...]
    """Kinds, or ``all``."""
    on: On = "clips"
    videos_roots: tuple[str, ...] = ()
    """``DIR`` or ``CORPUS=DIR``."""

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in (ALL, *KINDS):
                raise ConfigError(f"perturbation {name!r} is not known; use all, or {', '.join(KINDS)}")
        if self.on == "videos" and not self.videos_roots:
            raise ConfigError("to perturb videos give --videos-root DIR, the folder that preprocess read")
        if self.on == "clips" and self.videos_roots:
            raise ConfigError("--videos-root is for source videos; add --perturb-on videos, or leave it out")

    @property
    def kinds(self) -> list[str]:
        """In the order of the table."""
        return [kind for kind in KINDS if kind in self.names or ALL in self.names]


def perturb_options(names: Sequence[str], on: On, videos_roots: Sequence[str]) -> PerturbOptions | None:
    """From the command line, where a name may be several with commas; None where nothing is asked for.

    Raises ConfigError for what is not known, or has no meaning.
    """
    split = tuple(filter(None, (name.strip() for text in names for name in text.split(","))))
    if split:
        return PerturbOptions(split, on, tuple(videos_roots))
    if names or on == "videos" or videos_roots:
        raise ConfigError("--perturb-on and --videos-root need --perturb; add --perturb all, or some names")
    return None


@dataclass(frozen=True)
class PerturbPlan:
    """What will be done, with everything found that can be missing."""

    on: On
    perturbations: tuple[Perturbation, ...]
    videos: tuple[tuple[ManifestRow, ...], ...]
    """The labelled videos of the evaluation, each with its rows."""
    sources: Sources | None
    """For ``on`` videos."""


def make_plan(options: PerturbOptions, manifest: Manifest, selection: Selection) -> PerturbPlan:
    """Raises ConfigError where source videos are missing."""
    by_video: dict[tuple[str, str], list[ManifestRow]] = {}
    for row in choose_rows(manifest, selection, with_validation=False).evaluated:
        if row.label is not None:
            by_video.setdefault((row.corpus, row.video_id), []).append(row)
    videos = tuple(map(tuple, by_video.values()))
    perturbations = tuple(Perturbation(kind, level) for kind in options.kinds for level in LEVELS)
    sources = Sources.find(options.videos_roots, videos) if options.on == "videos" else None
    return PerturbPlan(options.on, perturbations, videos, sources)


def measure_robustness(
    evaluation: Evaluation, plan: PerturbPlan, report: EvalReport, processes: int | None = None
) -> RobustnessReport:
    """Scores what is missing, and measures every kind and level.

    ``report`` is the evaluation of the same videos as they are: its threshold is used throughout.
    """
    own = replace(evaluation, folder=evaluation.folder / f"perturbed_{plan.on}")
    measured = _on_videos(own, plan, processes) if plan.sources else _on_clips(own, plan, report)
    return RobustnessReport(
        on=plan.on,
        provenance=report.provenance,
        seed=evaluation.seed,
        threshold=report.threshold,
        threshold_source=report.threshold_source,
        results=tuple(
            measure_perturbed(perturbation, videos, dropped, report.threshold, evaluation.seed)
            for perturbation, videos, dropped in measured
        ),
        warnings=report.warnings,
    )


def _on_clips(evaluation: Evaluation, plan: PerturbPlan, report: EvalReport) -> Iterator[Measured]:
    known = {(video.corpus, video.video_id): video for video in report.videos}
    yield None, [known[rows[0].corpus, rows[0].video_id] for rows in plan.videos], []
    rows = [row for video in plan.videos for row in video]
    for perturbation, videos in score_perturbed_clips(evaluation, rows, plan.perturbations):
        yield perturbation, videos, []


def _on_videos(evaluation: Evaluation, plan: PerturbPlan, processes: int | None) -> Iterator[Measured]:
    assert plan.sources is not None
    every = (None, *plan.perturbations)
    for each, verdicts in judge_perturbed_videos(evaluation, plan.videos, plan.sources, every, processes):
        pairs = list(zip(plan.videos, verdicts, strict=True))
        videos = [evaluated_video(rows, verdict) for rows, verdict in pairs if verdict.clips]
        yield each, videos, [_dropped(rows[0], verdict) for rows, verdict in pairs if not verdict.clips]


def _dropped(row: ManifestRow, verdict: VideoVerdict) -> DroppedVideo:
    return DroppedVideo(
        corpus=row.corpus,
        video_id=row.video_id,
        source=row.source,
        split=row.split,
        label=row.label,
        manipulation=row.manipulation,
        reason=verdict.status,
        detail=verdict.warnings[0],
        compression=row.compression,
    )
