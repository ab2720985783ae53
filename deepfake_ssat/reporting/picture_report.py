"""An evaluation on pictures: top-1 and top-5, overall and by class, AUC of two, as Markdown, CSV and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deepfake_ssat.evaluation.pictures import PictureReport
from deepfake_ssat.reporting.documents import Files, document, identity, json_text
from deepfake_ssat.reporting.tables import Table, absences, csv_table, markdown, percent

SCHEMA_VERSION = "1.1"
CLASS_COLUMNS = ("class", "pictures", "top1", "low", "high")
PICTURE_COLUMNS = ("name", "label", "predicted", "probability", "verdict", "rank")
CLASSES_SHOWN = 20
"""On the terminal and in the Markdown: of more, those that are told apart worst."""


def tables(report: PictureReport) -> list[Table]:
    """Overall, then by class."""
    overall = (
        report.provenance["scoring"]["split"],
        str(len(report.pictures)),
        percent(report.top1),
        percent(report.top5),
        percent(report.auc),
    )
    classes, title = list(report.classes), "Accuracy by class (%, [95 % interval])"
    if len(classes) > CLASSES_SHOWN:
        measured = [one for one in classes if one.pictures]
        classes = sorted(measured, key=lambda one: (one.top1.value, one.name))[:CLASSES_SHOWN]
        title = f"The {len(classes)} worst of {len(report.classes)} classes (%, [95 % interval])"
    rows = [(one.name, str(one.pictures), percent(one.top1)) for one in classes]
    return [
        Table("Accuracy (%, [95 % interval])", ("split", "pictures", "top-1", "top-5", "AUC"), [overall]),
        Table(title, ("class", "pictures", "top-1"), rows),
    ]


def notes(report: PictureReport) -> list[str]:
    """One line each: what was measured, on what, why values are missing, warnings."""
    facts = report.provenance
    scoring = facts["scoring"]
    changed = (
        []
        if scoring["perspective"] is None
        else [
            f"perspective: every picture as seen from another place, distortion {scoring['perspective']:g}, "
            f"seed {scoring['seed']} (table 2's sets have 0.5)"
        ]
    )
    return [
        "intervals: Wilson's, of the pictures, of AUC by bootstrap; classes are named as the set names them",
        *changed,
        *([report.calibration.in_words()] if report.calibration else []),
        *absences([("", "top-1", report.top1), ("", "top-5", report.top5), ("", "AUC", report.auc)]),
        *(f"warning: {warning}" for warning in report.warnings),
        identity("checkpoint", facts["checkpoint"]),
        f"data: {facts['data'].get('path') or facts['data']['root']} ({facts['data']['kind']})",
        f"command: {facts['command']}",
    ]


def files(report: PictureReport) -> Files:
    """Values are parts of 1."""
    content = {
        **report.provenance,
        "pictures": len(report.pictures),
        "top1": asdict(report.top1),
        "top5": asdict(report.top5),
        "auc": asdict(report.auc),
        "classes": [asdict(one) for one in report.classes],
        "warnings": report.warnings,
    }
    classes: list[dict[str, Any]] = [
        {"class": one.name, "pictures": one.pictures, "top1": one.top1.value, **_bounds(one.top1)}
        for one in report.classes
    ]
    return {
        "classes.csv": csv_table(CLASS_COLUMNS, classes),
        "pictures.csv": csv_table(PICTURE_COLUMNS, map(asdict, report.pictures)),
        "table.md": markdown("Evaluation on pictures", tables(report), notes(report)),
        "report.json": json_text(document(SCHEMA_VERSION, content)),
    }


def _bounds(estimate: Any) -> dict[str, float | None]:
    return {"low": estimate.low, "high": estimate.high}
