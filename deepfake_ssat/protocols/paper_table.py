"""A table of the paper beside what was run here: a line for each row, variant and way it was run."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deepfake_ssat.config import Experiment
from deepfake_ssat.config.paper import PaperTable, TableRow
from deepfake_ssat.metrics import wilson_interval
from deepfake_ssat.protocols.made_up import MADE_UP_FOLDER
from deepfake_ssat.protocols.paper_plan import recipe
from deepfake_ssat.protocols.paper_results import Results, RowResult
from deepfake_ssat.protocols.settings import deciding_settings, setting_differences
from deepfake_ssat.training.operations import count_multiply_adds


@dataclass(frozen=True)
class Spread:
    """A number over seeds."""

    mean: float
    deviation: float | None
    """The standard deviation (n - 1); None for a single seed."""


@dataclass(frozen=True)
class PaperLine:
    """The seeds of one row that were run alike; accuracies are parts of 1."""

    variant: str
    row: TableRow
    epochs: int
    seeds: tuple[int, ...]
    pictures: int
    """Of the test split; or its videos."""
    others: dict[str, float | None]
    """Of videos, what else was measured, as means over seeds."""
    best_on_test: Spread | None
    """None where the seeds kept other epochs each."""
    last: Spread
    chosen: Spread | None
    interval: tuple[float, float]
    """Wilson's, at 95 %, of the mean of ``ours`` at so many pictures."""
    multiply_adds: tuple[int, ...]
    """Of each training, for one picture."""
    seconds: float | None
    kwh: float | None
    kg_co2: float | None
    departures: tuple[str, ...]
    """Settings that are not the table's, with the table's."""

    @property
    def ours(self) -> Spread:
        """What stands beside the paper's number: chosen on validation, or on test where that was watched."""
        found = self.chosen or self.best_on_test
        assert found is not None
        return found


@dataclass(frozen=True)
class PaperReport:
    """All of it."""

    name: str
    table: PaperTable
    lines: tuple[PaperLine, ...]
    results: Results
    made_up: bool
    """The data are no data: nothing can be learnt from the numbers."""

    @property
    def of_videos(self) -> bool:
        """Whether face clips were judged, and no pictures."""
        return self.table.rows[0].judged is not None


def paper_report(name: str, table: PaperTable, results: Results) -> PaperReport:
    """The finished results, row by row; runs of one row that were set otherwise are other lines."""
    lines = []
    for variant in table.variants:
        for row in table.rows:
            groups: dict[str, list[RowResult]] = {}
            for result in results.finished:
                if (result.variant, result.row) == (variant, row.name):
                    groups.setdefault(_settings_key(result), []).append(result)
            lines += [_line(table, row, group) for group in groups.values()]
    sources = [str(result.stages[-1].data) for result in results.finished]
    return PaperReport(
        name, table, tuple(lines), results, any(MADE_UP_FOLDER in source for source in sources)
    )


def _line(table: PaperTable, row: TableRow, results: Sequence[RowResult]) -> PaperLine:
    first = results[0]
    chosen = _spread(results, lambda one: one.chosen)
    best = None
    if len({result.kept_epochs for result in results}) == 1:
        best = _spread(results, lambda one: one.best_on_test)
    last = _spread(results, lambda one: one.last)
    ours = chosen or best
    assert ours is not None
    assert last is not None
    return PaperLine(
        variant=first.variant,
        row=row,
        epochs=first.epochs,
        seeds=tuple(result.seed for result in results),
        pictures=first.pictures,
        others={name: _mean([result.others[name] for result in results]) for name in first.others},
        best_on_test=best,
        last=last,
        chosen=chosen,
        interval=wilson_interval(round(ours.mean * first.pictures), first.pictures),
        multiply_adds=tuple(count_multiply_adds(stage.model, stage.objective) for stage in first.stages),
        seconds=_mean([result.cost.seconds for result in results]),
        kwh=_mean([result.cost.kwh for result in results]),
        kg_co2=_mean([result.cost.kg_co2 for result in results]),
        departures=tuple(_departures(table, row, first.stages)),
    )


def _departures(table: PaperTable, row: TableRow, stages: Sequence[Experiment]) -> list[str]:
    """Those of a row's stages; a stage is named where the others do without."""
    found: dict[str, list[str]] = {}
    for stage, its, ours in zip(row.trainings, recipe(table, row), stages, strict=True):
        for one in setting_differences(_settings(ours), _settings(its)):
            found.setdefault(f"{one.key} {one.values[0]} for {one.values[1]}", []).append(stage.name)
    return [
        text if len(names) == len(stages) else f"{text} in {', '.join(names)}"
        for text, names in found.items()
    ]


def _settings(stage: Experiment) -> dict:
    """Without the weights that a stage starts from, which are the run's own."""
    return deciding_settings(
        stage.model_dump(mode="json", exclude={"init": True, "objective": {"guidance": {"teacher"}}})
    )


def _settings_key(result: RowResult) -> str:
    return json.dumps([_settings(stage) for stage in result.stages], sort_keys=True)


def _spread(results: Sequence[RowResult], value: Callable[[RowResult], float | None]) -> Spread | None:
    found = [number for result in results if (number := value(result)) is not None]
    if not found:
        return None
    return Spread(statistics.mean(found), statistics.stdev(found) if len(found) > 1 else None)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known and len(known) == len(values) else None
