"""Cross-manipulation: tables, Markdown, CSV, JSON, a picture; the paper's numbers where they compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from deepfake_ssat.metrics import RESAMPLES
from deepfake_ssat.protocols.manipulation_table import METRICS, PAPER_METRIC, ManipulationTable, MethodRow
from deepfake_ssat.protocols.paper import SOURCE
from deepfake_ssat.protocols.results import FoldResult
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting import style
from deepfake_ssat.reporting.documents import Files, document, json_text
from deepfake_ssat.reporting.intervals import INTERVALS
from deepfake_ssat.reporting.tables import ABSENT, Table, absences, csv_table, markdown, percent

MEAN = "mean"
CSV_COLUMNS = (
    *("method", "held_out", "metric", "value", "low", "high", "note"),
    *("num_real", "num_fake", "dropped_real", "dropped_fake", "threshold", "paper_percent"),
)
SPREAD = 0.6
"""The part of a column's width that the methods share in the picture."""


def tables(table: ManipulationTable) -> list[Table]:
    """One table for each metric, and one of the numbers of videos."""
    headings = ("method", *table.columns, MEAN)
    shown = []
    for metric, title in METRICS.items():
        rows = []
        for row in table.rows:
            cells = [percent(row.estimate(metric, column)) for column in table.columns]
            rows.append((row.name, *cells, percent(row.means[metric])))
            if metric == PAPER_METRIC and row.paper:
                papers = _paper(table, row).values()
                shown_papers = [ABSENT if value is None else f"{value:.2f}" for value in papers]
                rows.append((f"paper: {row.paper.name}", *shown_papers))
        shown.append(Table(f"{title[0].upper()}{title[1:]} (%, [95 % interval])", headings, rows))
    numbers = [
        (row.name, *(_number(row.folds.get(column)) for column in table.columns)) for row in table.rows
    ]
    return [*shown, Table("Videos judged: real + fake", headings[:-1], numbers)]


def notes(table: ManipulationTable) -> list[str]:
    """One line each: the protocol, what the intervals are, gaps, and warnings."""
    seeds = sorted({fold.settings["seed"] for fold in _folds(table)})
    lines = [
        "each column: trained on the other manipulations and the originals, weights and threshold chosen "
        "on their validation videos, judged on that manipulation and the originals of split "
        f"{_splits(table)}",
        f"one training run a cell (seed {', '.join(map(str, seeds))}); the intervals are of the draw of "
        f"videos alone ({RESAMPLES} bootstrap resamples; Wilson's for single accuracies), not of seeds",
    ]
    if any(row.paper for row in table.rows):
        lines.append(f"paper: {SOURCE}, on 277 to 279 of the 280 videos")
    every = {name for fold in _folds(table) for name in fold.manipulations}
    if absent := sorted(every - set(table.columns)):
        lines.append(f"not held out yet: {', '.join(absent)} (the mean is over the columns that are there)")
    return [*lines, *absences(_estimates(table)), *_warnings(table)]


def files(table: ManipulationTable) -> Files:
    """CSV values are parts of 1; JSON has everything but the scores of single videos, which folds have."""
    methods = [
        {
            "method": row.name,
            "means": {metric: asdict(row.means[metric]) for metric in METRICS},
            "paper": asdict(row.paper) if row.paper else None,
            "folds": {name: _fold_values(fold) for name, fold in sorted(row.folds.items())},
        }
        for row in table.rows
    ]
    content = {"intervals": INTERVALS, "columns": table.columns, "methods": methods, "notes": notes(table)}
    return {
        "table.png": picture(table),
        "table.csv": csv_table(CSV_COLUMNS, _csv_rows(table)),
        "table.md": markdown("Cross-manipulation", tables(table), notes(table)),
        "table.json": json_text(document("1.0", content)),
    }


def picture(table: ManipulationTable) -> bytes:
    """A PNG with one panel a metric: points with intervals."""
    folds = _folds(table)
    reals, fakes = ({getattr(fold, name) for fold in folds} for name in ("num_real", "num_fake"))
    figure = style.new_figure(
        max(7.0, 1.0 + len(table.columns) * max(1.3, 0.28 * len(table.rows))),
        2.6 * len(METRICS) + 0.7,
        f"Judged on the manipulation that training held out (split {_splits(table)})\n"
        f"{_range(reals)} real and {_range(fakes)} fake videos a column; bars: 95 % intervals; dashed: 50 %",
    )
    panels = figure.subplots(len(METRICS), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        _draw(axes, table, metric)
        axes.set_ylabel(title.replace(" at the ", "\nat the ") + " (%)", fontsize=style.LEGEND_SIZE)
    panels[-1].set_xticks(np.arange(len(table.columns) + 1), [*table.columns, MEAN])
    handles, names = panels[list(METRICS).index(PAPER_METRIC)].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=style.LEGEND_SIZE)
    return style.png(figure)


def _draw(axes: Axes, table: ManipulationTable, metric: str) -> None:
    style.add_grid(axes, "y")
    axes.axhline(50, color=style.REFERENCE, linestyle="--", linewidth=1)
    axes.axvline(len(table.columns) - 0.5, color=style.REFERENCE, linewidth=1)
    axes.set(xlim=(-0.5, len(table.columns) + 0.5), ylim=(-3, 103))
    offsets = SPREAD * ((np.arange(len(table.rows)) + 0.5) / len(table.rows) - 0.5)
    looks = zip(table.rows, offsets, cycle(style.PALETTE), cycle(style.MARKERS))
    for row, offset, colour, marker in looks:
        estimates = [*(row.estimate(metric, column) for column in table.columns), row.means[metric]]
        style.plot_estimates(axes, np.arange(len(estimates)) + offset, estimates, colour, marker, row.name)
        if metric == PAPER_METRIC and row.paper:
            values = [np.nan if value is None else value for value in _paper(table, row).values()]
            axes.plot(
                np.arange(len(values)) + offset + 0.05,
                values,
                linestyle="",
                marker=marker,
                markersize=7,
                markerfacecolor="none",
                markeredgecolor=style.BLACK,
                label=f"paper: {row.paper.name}",
            )


def _folds(table: ManipulationTable) -> list[FoldResult]:
    return [fold for row in table.rows for fold in row.folds.values()]


def _splits(table: ManipulationTable) -> str:
    return ", ".join(sorted({split for fold in _folds(table) for split in fold.selection["splits"]}))


def _range(numbers: set[int]) -> str:
    return f"{min(numbers)}" if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def _paper(table: ManipulationTable, row: MethodRow) -> dict[str, float | None]:
    """The paper's accuracies in percent, by column that there is a fold for, and their mean; maybe empty."""
    if row.paper is None:
        return {}
    values = {name: row.paper.accuracy(name) if name in row.folds else None for name in table.columns}
    mean = table.paper_mean(row)
    return {**values, MEAN: None if mean is None else round(mean, 4)}


def _number(fold: FoldResult | None) -> str:
    if fold is None:
        return ABSENT
    dropped = fold.dropped_real + fold.dropped_fake
    return f"{fold.num_real} + {fold.num_fake}" + (f" ({dropped} dropped)" if dropped else "")


def _fold_values(fold: FoldResult) -> dict[str, Any]:
    values = asdict(fold)
    del values["videos"], values["settings"]
    return values


def _csv_rows(table: ManipulationTable) -> Iterator[dict[str, Any]]:
    for row in table.rows:
        for metric in METRICS:
            paper = _paper(table, row) if metric == PAPER_METRIC else {}
            for name in (*sorted(row.folds), MEAN):
                fold = row.folds.get(name)
                yield {
                    **(vars(fold) if fold else {}),
                    **asdict(fold.metrics[metric] if fold else row.means[metric]),
                    "method": row.name,
                    "held_out": name,
                    "metric": metric,
                    "paper_percent": paper.get(name),
                }


def _estimates(table: ManipulationTable) -> Iterator[tuple[str, str, Estimate]]:
    """(method and column, metric, estimate)"""
    for metric, title in METRICS.items():
        for row in table.rows:
            for name, fold in row.folds.items():
                yield f"{row.name}, {name}", title, fold.metrics[metric]
            yield f"{row.name}, {MEAN}", title, row.means[metric]


def _warnings(table: ManipulationTable) -> list[str]:
    lines = []
    for row in table.rows:
        reasons = dict.fromkeys(fold.unofficial for fold in row.folds.values() if fold.unofficial)
        if reasons:
            lines.append(
                f"warning: {row.name}: not the data of the paper's Table 8 ({'; '.join(reasons)}), whose "
                "numbers are therefore not shown beside these"
            )
        concerned: dict[str, list[str]] = {}
        for name, fold in sorted(row.folds.items()):
            for warning in fold.warnings:
                concerned.setdefault(warning, []).append(name)
        lines += [
            f"warning: {row.name}, {', '.join(names)}: {warning}" for warning, names in concerned.items()
        ]
    if len({fold.manifest_sha256 for fold in _folds(table)}) > 1:
        lines.append("warning: the rows are of different manifests: differences may come from the data")
    return lines
