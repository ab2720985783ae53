"""Figures of a table of the paper beside our runs of it: the numbers, and the curves of the trainings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from deepfake_ssat.config.paper import TableRow
from deepfake_ssat.protocols.paper_results import ACCURACY, VIDEO_AUC, RowResult
from deepfake_ssat.protocols.paper_table import PaperReport
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting import style

PANELS_ACROSS, LEGEND_COLUMNS, LEGEND_ENTRY, LEGEND_LINE = 2, 4, 2.0, 0.18
"""The last two, an entry's width and a line's height, in inches."""
VARIANTS_APART = 0.12
"""Of the distance between two rows of a figure."""
PANELS = {
    "classification_loss": "classification loss, training",
    "reconstruction_loss": "reconstruction loss, training",
}


def numbers_figure(report: PaperReport) -> bytes | None:
    """Our numbers with their intervals, the paper's as open diamonds; a panel a column of the table."""
    if not report.lines:
        return None
    shown = {line.row.name for line in report.lines}
    columns: dict[str, list[TableRow]] = {}
    for row in report.table.rows:
        if row.name in shown:
            columns.setdefault(row.column, []).append(row)
    across = min(len(columns), PANELS_ACROSS)
    down = -(-len(columns) // across)
    width = across * max(3.0, *(0.8 * len(rows) for rows in columns.values())) + 1
    figure = style.new_figure(width, 4 * down, report.table.title)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (column, rows) in zip(panels, columns.items(), strict=False):
        _draw_column(axes, report, rows)
        axes.set_title(column, fontsize=style.PANEL_SIZE)
        axes.set_ylabel("accuracy at 0.5 (%)" if report.of_videos else "top-1 (%)")
    for axes in panels[len(columns) :]:
        axes.remove()
    entries = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    columns_of_legend = min(LEGEND_COLUMNS, int(width / LEGEND_ENTRY))
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=columns_of_legend)
    return style.png(figure)


def _draw_column(axes: Axes, report: PaperReport, rows: Sequence[TableRow]) -> None:
    """Over ``at`` where the rows have it, side by side elsewhere."""
    places = {row.name: float(number) if row.at is None else row.at for number, row in enumerate(rows)}
    side_by_side = all(row.at is None for row in rows)
    apart = VARIANTS_APART if side_by_side else 0.0
    for number, variant in enumerate(report.table.variants):
        own = [line for line in report.lines if line.variant == variant and line.row.name in places]
        if not own:
            continue
        estimates = [Estimate(line.ours.mean, *line.interval) for line in own]
        where = np.array([places[line.row.name] + apart * (number + 1) for line in own])
        colour, marker = style.PALETTE[number], style.MARKERS[number]
        style.plot_estimates(axes, where, estimates, colour, marker, f"ours, {variant}")
    known = {places[row.name]: row.paper for row in rows if row.paper is not None}
    axes.plot(
        list(known),
        list(known.values()),
        linestyle="",
        marker="D",
        markerfacecolor="none",
        color=style.BLACK,
        label="the paper's number",
    )
    if side_by_side:
        axes.set_xlim(-0.5, len(rows) - 0.5)
        names = [row.title for row in rows]
        axes.set_xticks(list(places.values()), names, fontsize=style.LEGEND_SIZE, rotation=30, ha="right")
    axes.set_xlabel(report.table.at)
    style.add_grid(axes, "y")


def curves_figure(report: PaperReport, variant: str) -> bytes | None:
    """Accuracy and losses over the epochs, a line a row."""
    own = [result for result in report.results.finished if result.variant == variant]
    if not own:
        return None
    watched = "test" if own[0].chosen is None else "validation"
    measured = (VIDEO_AUC, "video AUC") if report.of_videos else (ACCURACY, "accuracy")
    panels = {measured[0]: f"{watched} {measured[1]}", **PANELS}
    title = f"{report.table.title}, {variant}; bands: smallest to largest over seeds"
    rows = {row.name: row.label for row in report.table.rows if row.name in {one.row for one in own}}
    figure = style.new_figure(13, 4 + LEGEND_LINE * -(-len(rows) // LEGEND_COLUMNS), title)
    for axes, (column, heading) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for number, (name, label) in enumerate(rows.items()):
            results = [result for result in own if result.row == name and column in result.curves]
            if results:
                _draw_curve(axes, results, column, number, label)
        axes.set(title=heading, xlabel="epoch")
        style.add_grid(axes)
    # Some rows have no reconstruction, and some no classification.
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        list(lines.values()),
        list(map(str, lines)),
        title="row (seeds)",
        loc="outside lower center",
        ncols=LEGEND_COLUMNS,
        fontsize=style.LEGEND_SIZE,
    )
    return style.png(figure)


def _draw_curve(axes: Axes, results: Sequence[RowResult], column: str, number: int, title: str) -> None:
    curves = [result.curves[column] for result in results]
    epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
    colour = style.PALETTE[number % len(style.PALETTE)]
    line = style.LINES[number % len(style.LINES)]
    axes.plot(epochs, values.mean(axis=0), line, color=colour, label=f"{title} ({len(curves)})")
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
