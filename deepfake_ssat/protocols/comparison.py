"""Methods on the same videos or pictures: each one's metrics, and which differences between them are real.

A column is a set of them that all methods judged: an evaluation's, or one held-out manipulation's.
N videos or pictures, S runs of a method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol, TypeVar

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import PairedDifference
from deepfake_ssat.protocols.recipes import RecipeDifference, recipe_differences, recipe_doubts
from deepfake_ssat.protocols.runs import JudgedRun
from deepfake_ssat.records import Estimate

LEVEL = 0.05
SEED = 0
"""Of resamples and sign flips."""
Run = TypeVar("Run", bound=JudgedRun)
JudgedBy = TypeVar("JudgedBy", bound=JudgedRun, contravariant=True)
Columns = Mapping[str, Mapping[str, Sequence[Run]]]
"""Column -> method -> its runs."""


@dataclass(frozen=True)
class Common:
    """The videos or pictures that every run of a column judged."""

    column: str
    names: tuple[str, ...]
    labels: np.ndarray
    """(N,)"""
    left_out: int
    """Those that some runs judged and others did not."""

    @property
    def prefix(self) -> str:
        """Of a message about them."""
        return f"{self.column}: " if self.column else ""


@dataclass(frozen=True)
class Measured:
    """One metric of a method's runs."""

    values: tuple[float, ...]
    """Of each run; empty where a run has none."""
    estimate: Estimate
    """The mean, with its interval over the draw of videos or pictures."""


def mean_of_runs(
    common: Common, labels: np.ndarray, scores: np.ndarray, weighted: Sequence[metrics.Weighted], few: str
) -> Measured:
    """A metric of each run's scores (S, N), labels REAL or FAKE; ``few`` says why there is no interval."""
    once = np.ones((1, len(labels)))
    values = tuple(float(one(labels, run, once)[0]) for one, run in zip(weighted, scores, strict=True))
    interval = metrics.mean_interval(
        [
            metrics.FoldScores(common.names, labels, run, one)
            for one, run in zip(weighted, scores, strict=True)
        ],
        SEED,
    )
    mean = float(np.mean(values))
    if interval is None:
        return Measured(values, Estimate(mean, note=few))
    return Measured(values, Estimate(mean, interval.low, interval.high))


class Measures(Protocol[JudgedBy]):
    """What is compared of runs of one kind, and how."""

    @property
    def judged(self) -> str:
        """What they judge, in the plural."""
        ...

    @property
    def titles(self) -> Mapping[str, str]:
        """Of each metric."""
        ...

    def check(self, common: Common) -> None:
        """Raises ConfigError where nothing can be compared on these."""
        ...

    def counted(self, common: Common) -> str:
        """How many, in words."""
        ...

    def lack(self, common: Common) -> str:
        """What would be needed where they are too few."""
        ...

    def values(self, common: Common) -> Mapping[str, Any]:
        """How many, as JSON values."""
        ...

    def measure(self, common: Common, metric: str, runs: Sequence[JudgedBy]) -> Measured:
        """One metric of a method's runs."""
        ...

    def difference(
        self, common: Common, metric: str, first: Sequence[JudgedBy], second: Sequence[JudgedBy]
    ) -> PairedDifference | None:
        """One metric of two methods; None where one has no value."""
        ...


@dataclass(frozen=True)
class MethodSummary:
    """One metric of one method on a column."""

    column: str
    method: str
    metric: str
    values: tuple[float, ...]
    """Of each run; empty where a run has none (no validation threshold)."""
    seeds: tuple[int | None, ...]
    deviation: float | None
    """The standard deviation over the runs (n - 1); None for a single one."""
    estimate: Estimate
    """The mean over the runs, with its interval over the draw of videos or pictures."""


@dataclass(frozen=True)
class MethodDifference:
    """One metric of two methods on the same videos or pictures."""

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
class ComparedRun:
    """Where the results of a method were read."""

    method: str
    folder: str
    seed: int | None


@dataclass(frozen=True)
class Compared:
    """A column's videos or pictures, counted."""

    column: str
    counted: str
    """In words."""
    values: Mapping[str, Any]
    """As JSON values."""
    left_out: int
    """Those that some runs judged and others did not."""


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    judged: str
    """``videos`` or ``pictures``."""
    titles: Mapping[str, str]
    """Of each metric."""
    runs: tuple[ComparedRun, ...]
    columns: tuple[Compared, ...]
    summaries: tuple[MethodSummary, ...]
    differences: tuple[MethodDifference, ...]
    recipes: tuple[RecipeDifference, ...]
    """Of the runs whose results say how they were trained."""
    warnings: tuple[str, ...]


def compare_methods(columns: Columns[Run], measures: Measures[Run]) -> Comparison:
    """Raises ConfigError where runs share too little, or label a video or picture differently."""
    recipes = recipe_differences(columns)
    commons = [_common(column, methods, measures) for column, methods in columns.items()]
    summaries, differences = [], []
    for common in commons:
        methods = columns[common.column]
        for metric in measures.titles:
            summaries += [_summary(common, name, metric, runs, measures) for name, runs in methods.items()]
            differences += [
                MethodDifference(common.column, metric, first, second, found, None, "")
                for first, second in combinations(methods, 2)
                if (found := measures.difference(common, metric, methods[first], methods[second])) is not None
            ]
    lacks = {common.column: measures.lack(common) for common in commons}
    return Comparison(
        judged=measures.judged,
        titles=measures.titles,
        runs=_compared_runs(columns),
        columns=tuple(
            Compared(common.column, measures.counted(common), measures.values(common), common.left_out)
            for common in commons
        ),
        summaries=tuple(summaries),
        differences=tuple(_concluded(differences, lacks)),
        recipes=tuple(recipes),
        warnings=(*recipe_doubts(recipes), *_doubts(columns)),
    )


def _compared_runs(columns: Columns[Run]) -> tuple[ComparedRun, ...]:
    found = {
        ComparedRun(name, run.source, run.seed)
        for methods in columns.values()
        for name, runs in methods.items()
        for run in runs
    }
    return tuple(sorted(found, key=lambda run: (run.method, run.folder, str(run.seed))))


def _common(column: str, methods: Mapping[str, Sequence[Run]], measures: Measures[Run]) -> Common:
    runs = [run for its in methods.values() for run in its]
    labels = [run.labels for run in runs]
    everywhere = set.intersection(*map(set, labels))
    names = tuple(name for name in labels[0] if name in everywhere)
    left_out = len(set.union(*map(set, labels))) - len(names)
    common = Common(column, names, np.array([labels[0][name] for name in names]), left_out)
    for run, its in zip(runs, labels, strict=True):
        for name in names:
            if its[name] != labels[0][name]:
                raise ConfigError(
                    f"{common.prefix}{name} has label {labels[0][name]} in {runs[0].source} and {its[name]} "
                    f"in {run.source}; give results on the same data"
                )
    measures.check(common)
    return common


def _summary(
    common: Common, method: str, metric: str, runs: Sequence[Run], measures: Measures[Run]
) -> MethodSummary:
    measured = measures.measure(common, metric, runs)
    values = measured.values
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    seeds = tuple(run.seed for run in runs)
    return MethodSummary(common.column, method, metric, values, seeds, deviation, measured.estimate)


def _concluded(differences: Sequence[MethodDifference], lacks: Mapping[str, str]) -> list[MethodDifference]:
    """With Holm's correction over all tests of a metric; ``lacks`` says of a column why it cannot tell."""
    adjusted: dict[int, float] = {}
    for metric in dict.fromkeys(one.metric for one in differences):
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
            conclusion=_conclusion(one, adjusted.get(number), lacks[one.column]),
        )
        for number, one in enumerate(differences)
    ]


def _conclusion(one: MethodDifference, adjusted: float | None, lack: str) -> str:
    if adjusted is None:
        return f"cannot tell: {lack}"
    if adjusted >= LEVEL:
        return "cannot tell"
    return f"{one.first if one.found.difference > 0 else one.second} is better"


def _doubts(columns: Columns[Run]) -> list[str]:
    lines = []
    runs = [run for methods in columns.values() for its in methods.values() for run in its]
    if len({run.manifest_sha256 for run in runs} - {None}) > 1:
        lines.append("the runs are of different manifests: their clips may differ")
    twice: dict[tuple[str, str], list[str]] = {}
    for column, methods in columns.items():
        for its in methods.values():
            for run in its:
                twice.setdefault((column, run.scores_from), []).append(run.source)
    lines += dict.fromkeys(f"{run.source}: {doubt}" for run in runs for doubt in run.doubts)
    same = {tuple(sources) for sources in twice.values() if len(sources) > 1}
    lines += [f"the same checkpoint or file made {' and '.join(sources)}" for sources in sorted(same)]
    single = sorted({name for methods in columns.values() for name, its in methods.items() if len(its) == 1})
    if single:
        lines.append(
            f"one training run each of {', '.join(single)}: another seed may differ by as much as methods do"
        )
    return lines
