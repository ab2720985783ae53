"""Checkpoints on data sets: a matrix of video AUC as Markdown, CSV, JSON and a heat map."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure

from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES
from deepfake_ssat.protocols.manipulation_table import METRICS
from deepfake_ssat.records import EvalReport
from deepfake_ssat.reporting.protocols.text import ABSENT, TextTable, markdown_document, percent
from deepfake_ssat.version import __version__

MAP_METRIC = "auc"
COLOUR_MAP = "cividis"
"""Even in lightness, so that it is read alike with any colour vision and in print."""
DARK_BELOW = 0.75
"""Values below this are written in white."""


@dataclass(frozen=True)
class MatrixCell:
    """One checkpoint on one data set."""

    checkpoint: str
    manifest: str
    report: EvalReport


@dataclass(frozen=True)
class DatasetMatrix:
    """Every checkpoint on every data set, row by row."""

    checkpoints: tuple[str, ...]
    manifests: tuple[str, ...]
    cells: tuple[MatrixCell, ...]

    def cell(self, checkpoint: str, manifest: str) -> MatrixCell:
        """Raises KeyError where it was not measured."""
        return {(cell.checkpoint, cell.manifest): cell for cell in self.cells}[checkpoint, manifest]


def text_tables(matrix: DatasetMatrix) -> list[TextTable]:
    """One table for each metric, and one of the numbers of videos; * marks cells with a warning."""
    headings = ("checkpoint", *matrix.manifests)
    shown = []
    for metric, title in METRICS.items():
        rows = [
            (
                name,
                *(
                    percent(cell.report.groups[0].video[metric]) + " *" * bool(cell.report.warnings)
                    for cell in _row(matrix, name)
                ),
            )
            for name in matrix.checkpoints
        ]
        shown.append(TextTable(f"{title[0].upper()}{title[1:]} (%, [95 % interval])", headings, tuple(rows)))
    numbers = [(name, *(_number(cell.report) for cell in _row(matrix, name))) for name in matrix.checkpoints]
    shown.append(TextTable("Videos judged: real + fake", headings, tuple(numbers)))
    return shown


def notes(matrix: DatasetMatrix) -> list[str]:
    """One line each: what was judged, what the intervals are, missing values, and what * stands for."""
    splits = sorted(
        {split for cell in matrix.cells for split in cell.report.provenance["selection"]["splits"]}
    )
    lines = [
        f"judged: split {', '.join(splits)} of each data set, all manipulations; intervals: {RESAMPLES} "
        "bootstrap resamples of the videos (Wilson's for accuracies)",
    ]
    for cell in matrix.cells:
        where = f"{cell.checkpoint} on {cell.manifest}"
        reasons: dict[tuple[str, str], list[str]] = {}
        for metric, title in METRICS.items():
            found = cell.report.groups[0].video[metric]
            if found.note:
                what = ABSENT if found.value is None else "interval of"
                reasons.setdefault((what, found.note), []).append(title)
        lines += [f"{where}, {what} {', '.join(titles)}: {note}" for (what, note), titles in reasons.items()]
        lines += [f"warning (*): {where}: {warning}" for warning in cell.report.warnings]
    for name in matrix.checkpoints:
        facts = _row(matrix, name)[0].report.provenance["checkpoint"]
        lines.append(f"checkpoint {name}: {facts['path']}, sha256 {facts['sha256'][:16]}")
    for name in matrix.manifests:
        facts = matrix.cell(matrix.checkpoints[0], name).report.provenance["manifest"]
        lines.append(f"data set {name}: {facts['path']}, sha256 {facts['sha256'][:16]}")
    return lines


def markdown(matrix: DatasetMatrix) -> str:
    """The page for people."""
    return markdown_document("Checkpoints on data sets", text_tables(matrix), notes(matrix))


def matrix_csv(matrix: DatasetMatrix) -> str:
    """A line for each cell and metric; values are parts of 1."""
    lines = list(_lines(matrix))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def matrix_json(matrix: DatasetMatrix) -> str:
    """Every metric of each cell, with checkpoint, manifest, selection and warnings."""
    cells = [
        {
            "checkpoint": {"name": cell.checkpoint, **_named(cell.report, "checkpoint")},
            "manifest": {"name": cell.manifest, **_named(cell.report, "manifest")},
            "selection": cell.report.provenance["selection"],
            "num_real": cell.report.groups[0].num_real,
            "num_fake": cell.report.groups[0].num_fake,
            "num_dropped": len(cell.report.dropped),
            "threshold": cell.report.threshold,
            "threshold_source": cell.report.threshold_source,
            "video": {name: asdict(found) for name, found in cell.report.groups[0].video.items()},
            "warnings": cell.report.warnings,
        }
        for cell in matrix.cells
    ]
    document = {
        "schema_version": "1.0",
        "program": {"name": "deepfake-ssat", "version": __version__},
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES},
        "cells": cells,
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def heat_map(matrix: DatasetMatrix) -> bytes:
    """A PNG of video AUC in percent, from 50 to 100, with intervals and numbers of videos in the cells."""
    rows, columns = len(matrix.checkpoints), len(matrix.manifests)
    figure = Figure(figsize=(3.2 + 1.7 * columns, 1.9 + 0.75 * rows), layout="constrained")
    axes = figure.add_subplot()
    found = [[_auc(cell) for cell in _row(matrix, name)] for name in matrix.checkpoints]
    grid = [[float("nan") if value is None else value for value in values] for values in found]
    shown = axes.imshow(grid, cmap=COLOUR_MAP, vmin=0.5, vmax=1.0, aspect="auto")
    for row, name in enumerate(matrix.checkpoints):
        for column, cell in enumerate(_row(matrix, name)):
            value = _auc(cell)
            ink = "white" if value is not None and value < DARK_BELOW else "black"
            axes.text(column, row, _cell_text(cell), ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(columns), matrix.manifests)
    axes.set_yticks(range(rows), matrix.checkpoints)
    axes.set(xlabel="data set", ylabel="checkpoint")
    bar = figure.colorbar(shown, ax=axes, extend="min", ticks=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    bar.ax.set_yticklabels(["50", "60", "70", "80", "90", "100"])
    figure.suptitle("Video AUC (%) [95 % interval], real + fake videos; * see the warnings", fontsize=10)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()


def _auc(cell: MatrixCell) -> float | None:
    return cell.report.groups[0].video[MAP_METRIC].value


def _cell_text(cell: MatrixCell) -> str:
    text = percent(cell.report.groups[0].video[MAP_METRIC]).replace(" [", "\n[")
    return f"{text}{' *' * bool(cell.report.warnings)}\n{_number(cell.report)}"


def _row(matrix: DatasetMatrix, checkpoint: str) -> Sequence[MatrixCell]:
    return [matrix.cell(checkpoint, manifest) for manifest in matrix.manifests]


def _number(report: EvalReport) -> str:
    whole = report.groups[0]
    dropped = f" ({len(report.dropped)} dropped)" if report.dropped else ""
    return f"{whole.num_real} + {whole.num_fake}{dropped}" if report.videos else ABSENT


def _named(report: EvalReport, kind: str) -> dict[str, str]:
    return {key: report.provenance[kind][key] for key in ("path", "sha256")}


def _lines(matrix: DatasetMatrix) -> Iterator[dict[str, Any]]:
    for cell in matrix.cells:
        whole = cell.report.groups[0]
        for metric in METRICS:
            estimate = asdict(whole.video[metric])
            yield {
                "checkpoint": cell.checkpoint,
                "data_set": cell.manifest,
                "metric": metric,
                **{name: "" if value is None else value for name, value in estimate.items()},
                "num_real": whole.num_real,
                "num_fake": whole.num_fake,
                "num_dropped": len(cell.report.dropped),
                "threshold": "" if cell.report.threshold is None else cell.report.threshold,
            }
