"""The cross-manipulation table as a picture: points with intervals; colours of Okabe and Ito, and markers."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepfake_ssat.protocols.manipulation_table import (
    METRICS,
    PAPER_METRIC,
    ManipulationTable,
    MethodRow,
)
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting.evaluation.figures import BLACK, CURVE_COLOURS
from deepfake_ssat.reporting.protocols.manipulation_files import MEAN

MARKERS = "osD^vPX"
SPREAD = 0.6
"""The part of a column's width that the methods share."""


def picture(table: ManipulationTable) -> bytes:
    """A PNG with one panel a metric."""
    width = max(7.0, 1.0 + len(table.columns) * max(1.3, 0.28 * len(table.rows)))
    figure = Figure(figsize=(width, 2.6 * len(METRICS) + 0.7), layout="constrained")
    figure.suptitle(_heading(table), fontsize=10)
    panels = figure.subplots(len(METRICS), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        _draw(axes, table, metric)
        axes.set_ylabel(title.replace(" at the ", "\nat the ") + " (%)", fontsize=8)
    places = np.arange(len(table.columns) + 1)
    panels[-1].set_xticks(places, [*table.columns, MEAN])
    handles, names = panels[list(METRICS).index(PAPER_METRIC)].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()


def _heading(table: ManipulationTable) -> str:
    folds = [fold for row in table.rows for fold in row.folds.values()]
    splits = ", ".join(sorted({split for fold in folds for split in fold.selection["splits"]}))
    reals, fakes = ({getattr(fold, name) for fold in folds} for name in ("num_real", "num_fake"))
    return (
        f"Judged on the manipulation that training held out (split {splits})\n"
        f"{_range(reals)} real and {_range(fakes)} fake videos a column; bars: 95 % intervals; dashed: 50 %"
    )


def _range(numbers: set[int]) -> str:
    return f"{min(numbers)}" if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def _draw(axes: Axes, table: ManipulationTable, metric: str) -> None:
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axhline(50, color="#999999", linestyle="--", linewidth=1)
    axes.axvline(len(table.columns) - 0.5, color="#CCCCCC", linewidth=1)
    axes.set(xlim=(-0.5, len(table.columns) + 0.5), ylim=(-3, 103))
    offsets = SPREAD * ((np.arange(len(table.rows)) + 0.5) / len(table.rows) - 0.5)
    for number, (row, offset) in enumerate(zip(table.rows, offsets, strict=True)):
        colour, marker = CURVE_COLOURS[number % len(CURVE_COLOURS)], MARKERS[number % len(MARKERS)]
        estimates = [*(row.estimate(metric, column) for column in table.columns), row.means[metric]]
        _draw_estimates(axes, estimates, offset, colour, marker, row.name)
        if metric == PAPER_METRIC and row.paper:
            _draw_paper(axes, table, row, offset, marker)


def _draw_estimates(
    axes: Axes, estimates: list[Estimate | None], offset: float, colour: str, marker: str, name: str
) -> None:
    points = [
        (place + offset, 100 * found.value, found)
        for place, found in enumerate(estimates)
        if found and found.value is not None
    ]
    x, y = [point[0] for point in points], [point[1] for point in points]
    axes.plot(x, y, linestyle="", color=colour, marker=marker, markersize=6, label=name)
    for place, value, found in points:
        if found.low is not None and found.high is not None:
            bars = [[max(value - 100 * found.low, 0)], [max(100 * found.high - value, 0)]]
            axes.errorbar([place], [value], yerr=bars, fmt="none", ecolor=colour, capsize=3, linewidth=1.3)


def _draw_paper(axes: Axes, table: ManipulationTable, row: MethodRow, offset: float, marker: str) -> None:
    assert row.paper is not None
    values = {
        place: row.paper.accuracy(name) for place, name in enumerate(table.columns) if name in row.folds
    }
    if (mean := table.paper_mean(row)) is not None:
        values[len(table.columns)] = mean
    x = [place + offset + 0.05 for place in values]
    axes.plot(
        x,
        list(values.values()),
        linestyle="",
        marker=marker,
        markersize=7,
        markerfacecolor="none",
        markeredgecolor=BLACK,
        label=f"paper: {row.paper.name}",
    )
