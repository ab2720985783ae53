"""Checkpoints on data sets: a matrix of video AUC as tables, Markdown, CSV, JSON and a heat map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from deepfake_ssat.metrics import RESAMPLES
from deepfake_ssat.protocols.dataset_matrix import DatasetMatrix, MatrixCell
from deepfake_ssat.protocols.manipulation_table import METRICS
from deepfake_ssat.records import EvalReport
from deepfake_ssat.reporting.documents import Files, document, identity, json_text
from deepfake_ssat.reporting.intervals import INTERVALS
from deepfake_ssat.reporting.style import LEGEND_SIZE, in_percent, new_figure, png
from deepfake_ssat.reporting.tables import ABSENT, Table, absences, csv_table, markdown, percent

CSV_COLUMNS = (
    *("checkpoint", "data_set", "metric", "value", "low", "high", "note"),
    *("num_real", "num_fake", "num_dropped", "threshold"),
)
COLOUR_MAP = "cividis"
"""Even in lightness, so that it is read alike with any colour vision and in print."""
DARK_BELOW = 75
"""Values below this are written in white."""


def tables(matrix: DatasetMatrix) -> list[Table]:
    """One table for each metric, and one of the numbers of videos; * marks cells with a warning."""
    headings = ("checkpoint", *matrix.manifests)
    shown = [
        Table(
            f"{title[0].upper()}{title[1:]} (%, [95 % interval])",
            headings,
            [(name, *(_marked(cell, metric) for cell in matrix.row(name))) for name in matrix.checkpoints],
        )
        for metric, title in METRICS.items()
    ]
    numbers = [(name, *(_number(cell.report) for cell in matrix.row(name))) for name in matrix.checkpoints]
    return [*shown, Table("Videos judged: real + fake", headings, numbers)]


def notes(matrix: DatasetMatrix) -> list[str]:
    """One line each: what was judged, what the intervals are, missing values, and what * stands for."""
    splits = {split for cell in matrix.cells for split in cell.report.provenance["selection"]["splits"]}
    lines = [
        f"judged: split {', '.join(sorted(splits))} of each data set, all manipulations; intervals: "
        f"{RESAMPLES} bootstrap resamples of the videos (Wilson's for accuracies)",
    ]
    lines += absences(
        (cell.name, title, cell.report.groups[0].video[metric])
        for metric, title in METRICS.items()
        for cell in matrix.cells
    )
    lines += [
        f"warning (*): {cell.name}: {warning}" for cell in matrix.cells for warning in cell.report.warnings
    ]
    for name in matrix.checkpoints:
        lines.append(identity(f"checkpoint {name}", matrix.row(name)[0].report.provenance["checkpoint"]))
    for name in matrix.manifests:
        lines.append(identity(f"data set {name}", matrix.column(name)[0].report.provenance["manifest"]))
    return lines


def files(matrix: DatasetMatrix) -> Files:
    """CSV values are parts of 1, a line for each cell and metric; JSON has every metric of each cell."""
    content = {"intervals": INTERVALS, "cells": [_cell_values(cell) for cell in matrix.cells]}
    return {
        "matrix.png": heat_map(matrix),
        "matrix.csv": csv_table(CSV_COLUMNS, _csv_rows(matrix)),
        "matrix.md": markdown("Checkpoints on data sets", tables(matrix), notes(matrix)),
        "matrix.json": json_text(document("1.0", content)),
    }


def heat_map(matrix: DatasetMatrix) -> bytes:
    """A PNG of video AUC in percent, from 50 to 100, with intervals and numbers of videos in the cells."""
    rows, columns = len(matrix.checkpoints), len(matrix.manifests)
    title = "Video AUC (%) [95 % interval], real + fake videos; * see the warnings"
    figure = new_figure(3.2 + 1.7 * columns, 1.9 + 0.75 * rows, title)
    axes = figure.add_subplot()
    grid = [
        [in_percent(cell.report.groups[0].video["auc"].value) for cell in matrix.row(name)]
        for name in matrix.checkpoints
    ]
    shown = axes.imshow(grid, cmap=COLOUR_MAP, vmin=50, vmax=100, aspect="auto")
    for row, name in enumerate(matrix.checkpoints):
        for column, cell in enumerate(matrix.row(name)):
            ink = "white" if grid[row][column] < DARK_BELOW else "black"
            text = f"{_marked(cell, 'auc').replace(' [', chr(10) + '[')}\n{_number(cell.report)}"
            axes.text(column, row, text, ha="center", va="center", fontsize=LEGEND_SIZE, color=ink)
    axes.set_xticks(range(columns), matrix.manifests)
    axes.set_yticks(range(rows), matrix.checkpoints)
    axes.set(xlabel="data set", ylabel="checkpoint")
    figure.colorbar(shown, ax=axes, extend="min")
    return png(figure)


def _marked(cell: MatrixCell, metric: str) -> str:
    return percent(cell.report.groups[0].video[metric]) + " *" * bool(cell.report.warnings)


def _number(report: EvalReport) -> str:
    whole = report.groups[0]
    dropped = f" ({len(report.dropped)} dropped)" if report.dropped else ""
    return f"{whole.num_real} + {whole.num_fake}{dropped}" if report.videos else ABSENT


def _counts(report: EvalReport) -> dict[str, int]:
    whole = report.groups[0]
    return {"num_real": whole.num_real, "num_fake": whole.num_fake, "num_dropped": len(report.dropped)}


def _csv_rows(matrix: DatasetMatrix) -> Iterator[dict[str, Any]]:
    for cell in matrix.cells:
        named = {"checkpoint": cell.checkpoint, "data_set": cell.manifest}
        facts = {**_counts(cell.report), "threshold": cell.report.threshold}
        for metric in METRICS:
            estimate = cell.report.groups[0].video[metric]
            yield {**named, "metric": metric, **asdict(estimate), **facts}


def _cell_values(cell: MatrixCell) -> dict[str, Any]:
    report = cell.report
    checkpoint, manifest = (
        {key: report.provenance[kind][key] for key in ("path", "sha256")}
        for kind in ("checkpoint", "manifest")
    )
    return {
        "checkpoint": {"name": cell.checkpoint, **checkpoint},
        "manifest": {"name": cell.manifest, **manifest},
        "selection": report.provenance["selection"],
        **_counts(report),
        "threshold": report.threshold,
        "threshold_source": report.threshold_source,
        "video": {name: asdict(found) for name, found in report.groups[0].video.items()},
        "warnings": report.warnings,
    }
