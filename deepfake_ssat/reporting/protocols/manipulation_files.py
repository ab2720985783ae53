"""The cross-manipulation table as Markdown, CSV and JSON, with the paper's numbers where they compare."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES
from deepfake_ssat.protocols.manipulation_table import (
    METRICS,
    PAPER_METRIC,
    ManipulationTable,
    MethodRow,
)
from deepfake_ssat.protocols.paper import SOURCE
from deepfake_ssat.protocols.results import FoldResult
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting.protocols.text import ABSENT, TextTable, markdown_document, percent
from deepfake_ssat.version import __version__

MEAN = "mean"
CSV_COLUMNS: tuple[str, ...] = (
    "method",
    "held_out",
    "metric",
    "value",
    "low",
    "high",
    "note",
    "num_real",
    "num_fake",
    "dropped_real",
    "dropped_fake",
    "threshold",
    "paper_percent",
)


def text_tables(table: ManipulationTable) -> list[TextTable]:
    """One table for each metric, and one of the numbers of videos."""
    headings = ("method", *table.columns, MEAN)
    shown = []
    for metric, title in METRICS.items():
        rows = []
        for row in table.rows:
            cells = [percent(row.estimate(metric, column)) for column in table.columns]
            rows.append((row.name, *cells, percent(row.means[metric])))
            if metric == PAPER_METRIC and row.paper:
                rows.append(_paper_line(table, row))
        shown.append(TextTable(f"{_capital(title)} (%, [95 % interval])", headings, tuple(rows)))
    numbers = [
        (row.name, *(_number(row.folds.get(column)) for column in table.columns)) for row in table.rows
    ]
    shown.append(TextTable("Videos judged: real + fake", headings[:-1], tuple(numbers)))
    return shown


def notes(table: ManipulationTable) -> list[str]:
    """One line each: the protocol, what the intervals are, gaps, and warnings."""
    folds = [fold for row in table.rows for fold in row.folds.values()]
    splits = sorted({split for fold in folds for split in fold.selection["splits"]})
    seeds = sorted({fold.settings["seed"] for fold in folds})
    lines = [
        "each column: trained on the other manipulations and the originals, weights and threshold chosen "
        "on their validation videos, judged on that manipulation and the originals of split "
        f"{', '.join(splits)}",
        f"one training run a cell (seed {', '.join(map(str, seeds))}); the intervals are of the draw of "
        f"videos alone ({RESAMPLES} bootstrap resamples; Wilson's for single accuracies), not of seeds",
    ]
    if any(row.paper for row in table.rows):
        lines.append(f"paper: {SOURCE}, on 277 to 279 of the 280 videos")
    return [*lines, *_gaps(table), *_warnings(table)]


def markdown(table: ManipulationTable) -> str:
    """The page for people."""
    return markdown_document("Cross-manipulation", text_tables(table), notes(table))


def table_csv(table: ManipulationTable) -> str:
    """A line for each method, held-out manipulation (or mean) and metric; values are parts of 1."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_lines(table))
    return text.getvalue()


def table_json(table: ManipulationTable) -> str:
    """Everything but the scores of single videos, which the folds' own files have."""
    methods = [
        {
            "method": row.name,
            "means": {metric: asdict(row.means[metric]) for metric in METRICS},
            "paper": asdict(row.paper) if row.paper else None,
            "folds": {name: _fold_values(fold) for name, fold in sorted(row.folds.items())},
        }
        for row in table.rows
    ]
    document = {
        "schema_version": "1.0",
        "program": {"name": "deepfake-ssat", "version": __version__},
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES},
        "columns": table.columns,
        "methods": methods,
        "notes": notes(table),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _paper_line(table: ManipulationTable, row: MethodRow) -> tuple[str, ...]:
    assert row.paper is not None
    mean = table.paper_mean(row)
    values = [f"{row.paper.accuracy(name):.2f}" if name in row.folds else ABSENT for name in table.columns]
    return f"paper: {row.paper.name}", *values, ABSENT if mean is None else f"{mean:.2f}"


def _number(fold: FoldResult | None) -> str:
    if fold is None:
        return ABSENT
    dropped = fold.dropped_real + fold.dropped_fake
    return f"{fold.num_real} + {fold.num_fake}" + (f" ({dropped} dropped)" if dropped else "")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _fold_values(fold: FoldResult) -> dict[str, Any]:
    values = asdict(fold)
    del values["videos"], values["settings"]
    return values


def _lines(table: ManipulationTable) -> Iterator[dict[str, Any]]:
    for row in table.rows:
        for metric in METRICS:
            with_paper = row.paper is not None and metric == PAPER_METRIC
            for column in table.columns:
                if (fold := row.folds.get(column)) is None:
                    continue
                yield {
                    **_estimate_values(row.name, column, metric, fold.metrics[metric]),
                    **{name: getattr(fold, name) for name in CSV_COLUMNS[7:11]},
                    "threshold": "" if fold.threshold is None else fold.threshold,
                    "paper_percent": row.paper.accuracy(column) if row.paper and with_paper else "",
                }
            mean = table.paper_mean(row) if with_paper else None
            yield {
                **_estimate_values(row.name, MEAN, metric, row.means[metric]),
                "paper_percent": "" if mean is None else round(mean, 4),
            }


def _estimate_values(method: str, column: str, metric: str, estimate: Estimate) -> dict[str, Any]:
    values = {name: "" if value is None else value for name, value in asdict(estimate).items()}
    return {"method": method, "held_out": column, "metric": metric, **values}


def _gaps(table: ManipulationTable) -> list[str]:
    """Manipulations not held out yet, and why values or intervals are missing."""
    folds = [fold for row in table.rows for fold in row.folds.values()]
    every = {name for fold in folds for name in fold.manipulations}
    lines = []
    if absent := sorted(every - set(table.columns)):
        lines.append(f"not held out yet: {', '.join(absent)} (the mean is over the columns that are there)")
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for metric, title in METRICS.items():
            for estimate in (row.means[metric], *(fold.metrics[metric] for fold in row.folds.values())):
                if estimate.note:
                    what = ABSENT if estimate.value is None else "interval of"
                    titles = reasons.setdefault((estimate.note, f"{row.name}, {what}"), [])
                    titles += [title] * (title not in titles)
    return lines + [f"{what} {', '.join(titles)}: {note}" for (note, what), titles in reasons.items()]


def _warnings(table: ManipulationTable) -> list[str]:
    lines = []
    for row in table.rows:
        reasons = list(dict.fromkeys(fold.unofficial for fold in row.folds.values() if fold.unofficial))
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
    if len({fold.manifest_sha256 for row in table.rows for fold in row.folds.values()}) > 1:
        lines.append("warning: the rows are of different manifests: differences may come from the data")
    return lines
