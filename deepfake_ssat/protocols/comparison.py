"""Methods on the same videos: each one's metrics, and which differences between them are real.

A column is a set of videos that all methods judged: an evaluation's, or one held-out manipulation's.
N videos, S runs of a method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import PairedDifference
from deepfake_ssat.protocols.manipulation_table import METRICS
from deepfake_ssat.protocols.recipes import RecipeDifference, recipe_differences, recipe_doubts
from deepfake_ssat.protocols.runs import JudgedRun
from deepfake_ssat.records import FAKE, REAL, Estimate

LEVEL = 0.05
SEED = 0
"""Of resamples and sign flips."""
Columns = Mapping[str, Mapping[str, Sequence[JudgedRun]]]
"""Column -> method -> its runs."""


@dataclass(frozen=True)
class MethodSummary:
    """One metric of one method on the videos of a column."""

    column: str
    method: str
    metric: str
    values: tuple[float, ...]
    """Of each run; empty where a run has none (no validation threshold)."""
    seeds: tuple[int | None, ...]
    deviation: float | None
    """The standard deviation over the runs (n - 1); None for a single one."""
    estimate: Estimate
    """The mean over the runs, with its interval over the draw of videos."""


@dataclass(frozen=True)
class MethodDifference:
    """One metric of two methods on the same videos."""

    column: str
    metric: str
    first: str
    second: str
    found: PairedDifference
    adjusted: float | None
    """Holm's p-value over all pairs and columns of this metric."""
    conclusion: str
    """Which one is better, or why nobody can tell."""


@dataclass(frozen=True)
class CommonVideos:
    """The videos that every run of a column judged."""

    column: str
    names: tuple[str, ...]
    labels: np.ndarray
    """(N,)"""
    left_out: int
    """Videos that some runs judged and others did not."""


@dataclass(frozen=True)
class ComparedRun:
    """Where the scores of a method were read."""

    method: str
    folder: str
    seed: int | None


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    runs: tuple[ComparedRun, ...]
    videos: tuple[CommonVideos, ...]
    summaries: tuple[MethodSummary, ...]
    differences: tuple[MethodDifference, ...]
    recipes: tuple[RecipeDifference, ...]
    """Of the runs whose results say how they were trained."""
    warnings: tuple[str, ...]


def compare_methods(columns: Columns) -> Comparison:
    """Raises ConfigError where runs share no videos of both classes, or label one differently."""
    recipes = recipe_differences(columns)
    common = [_common(column, methods) for column, methods in columns.items()]
    summaries, differences = [], []
    for videos in common:
        methods = columns[videos.column]
        for metric in METRICS:
            summaries += [_summary(videos, name, metric, runs) for name, runs in methods.items()]
            differences += [
                found
                for first, second in combinations(methods, 2)
                if (found := _difference(videos, metric, methods, first, second)) is not None
            ]
    return Comparison(
        runs=_compared_runs(columns),
        videos=tuple(common),
        summaries=tuple(summaries),
        differences=tuple(_concluded(differences, common)),
        recipes=tuple(recipes),
        warnings=(*recipe_doubts(recipes), *_doubts(columns)),
    )


def _compared_runs(columns: Columns) -> tuple[ComparedRun, ...]:
    found = {
        ComparedRun(name, run.source, run.seed)
        for methods in columns.values()
        for name, runs in methods.items()
        for run in runs
    }
    return tuple(sorted(found, key=lambda run: (run.method, run.folder, str(run.seed))))


def _common(column: str, methods: Mapping[str, Sequence[JudgedRun]]) -> CommonVideos:
    runs = [run for its in methods.values() for run in its]
    everywhere = set.intersection(*(set(run.videos) for run in runs))
    names = tuple(name for name in runs[0].videos if name in everywhere)
    labels = [runs[0].videos[name].label for name in names]
    where = f"{column}: " if column else ""
    for run in runs:
        for name, label in zip(names, labels, strict=True):
            if run.videos[name].label != label:
                raise ConfigError(
                    f"{where}{name} has label {label} in {runs[0].source} and {run.videos[name].label} in "
                    f"{run.source}; give results on the same data"
                )
    if set(labels) != {REAL, FAKE}:
        raise ConfigError(
            f"{where}the runs have {len(names)} videos in common ({labels.count(REAL)} real, "
            f"{labels.count(FAKE)} fake), both classes are needed; give results on the same data"
        )
    every = set.union(*(set(run.videos) for run in runs))
    return CommonVideos(column, names, np.array(labels, dtype=int), len(every) - len(names))


def _scores(videos: CommonVideos, runs: Sequence[JudgedRun]) -> np.ndarray:
    """(S, N)"""
    return np.array([[run.videos[name].probability for name in videos.names] for run in runs])


def _cuts(metric: str, runs: Sequence[JudgedRun]) -> list[float] | None:
    """Each run's threshold for an accuracy; None where one has none."""
    if metric == "accuracy_at_half":
        return [0.5] * len(runs)
    cuts = [run.threshold for run in runs if run.threshold is not None]
    return cuts if len(cuts) == len(runs) else None


def _summary(videos: CommonVideos, method: str, metric: str, runs: Sequence[JudgedRun]) -> MethodSummary:
    seeds = tuple(run.seed for run in runs)
    cuts = [0.0] * len(runs) if metric == "auc" else _cuts(metric, runs)
    if cuts is None:
        absent = Estimate(None, note="a run has no validation threshold")
        return MethodSummary(videos.column, method, metric, (), seeds, None, absent)
    weighted: list[metrics.Weighted] = [
        metrics.weighted_auc if metric == "auc" else partial(metrics.weighted_accuracy, threshold=cut)
        for cut in cuts
    ]
    scores = _scores(videos, runs)
    once = np.ones((1, len(videos.labels)))
    values = [float(one(videos.labels, run, once)[0]) for one, run in zip(weighted, scores, strict=True)]
    interval = metrics.mean_interval(
        [
            metrics.FoldScores(videos.names, videos.labels, run, one)
            for one, run in zip(weighted, scores, strict=True)
        ],
        SEED,
    )
    mean = float(np.mean(values))
    estimate = (
        Estimate(mean, interval.low, interval.high)
        if interval
        else Estimate(mean, note=f"none with fewer than {metrics.SMALLEST_CLASS} real or fake videos")
    )
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return MethodSummary(videos.column, method, metric, tuple(values), seeds, deviation, estimate)


def _difference(
    videos: CommonVideos,
    metric: str,
    methods: Mapping[str, Sequence[JudgedRun]],
    first: str,
    second: str,
) -> MethodDifference | None:
    """Not concluded yet; None where a method has no threshold."""
    scores = [_scores(videos, methods[name]) for name in (first, second)]
    if metric == "auc":
        found = metrics.compare_auc(videos.labels, scores[0], scores[1], SEED)
    else:
        cuts = [_cuts(metric, methods[name]) for name in (first, second)]
        if cuts[0] is None or cuts[1] is None:
            return None
        calls = [runs >= np.array(cut)[:, None] for runs, cut in zip(scores, cuts, strict=True)]
        found = metrics.compare_accuracy(videos.labels, calls[0], calls[1], SEED)
    return MethodDifference(videos.column, metric, first, second, found, None, "")


def _concluded(
    differences: Sequence[MethodDifference], common: Sequence[CommonVideos]
) -> list[MethodDifference]:
    """With Holm's correction over all tests of a metric."""
    labels = {videos.column: videos.labels for videos in common}
    adjusted: dict[int, float] = {}
    for metric in METRICS:
        tested = [
            (number, one.found.p_value)
            for number, one in enumerate(differences)
            if one.metric == metric and one.found.p_value is not None
        ]
        raised = metrics.holm([value for _, value in tested])
        adjusted |= {number: value for (number, _), value in zip(tested, raised, strict=True)}
    return [
        replace(
            one,
            adjusted=adjusted.get(number),
            conclusion=_conclusion(one, adjusted.get(number), labels[one.column]),
        )
        for number, one in enumerate(differences)
    ]


def _conclusion(one: MethodDifference, adjusted: float | None, labels: np.ndarray) -> str:
    if adjusted is None:
        return (
            f"cannot tell: {np.sum(labels == REAL)} real and {np.sum(labels == FAKE)} fake videos, "
            f"{metrics.SMALLEST_TESTED_CLASS} of each are needed"
        )
    if adjusted >= LEVEL:
        return "cannot tell"
    return f"{one.first if one.found.difference > 0 else one.second} is better"


def _doubts(columns: Columns) -> list[str]:
    lines = []
    runs = [run for methods in columns.values() for its in methods.values() for run in its]
    if len({run.manifest_sha256 for run in runs} - {None}) > 1:
        lines.append("the runs are of different manifests: their clips may differ")
    twice: dict[tuple[str, str], list[str]] = {}
    for column, methods in columns.items():
        for its in methods.values():
            for run in its:
                twice.setdefault((column, run.scores_from), []).append(run.source)
    same = {tuple(sources) for sources in twice.values() if len(sources) > 1}
    lines += [f"the same checkpoint or file made {' and '.join(sources)}" for sources in sorted(same)]
    single = sorted({name for methods in columns.values() for name, its in methods.items() if len(its) == 1})
    if single:
        lines.append(
            f"one training run each of {', '.join(single)}: another seed may differ by as much as methods do"
        )
    return lines
