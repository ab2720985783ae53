"""The numbers of a run: metrics.csv, a row each log step and each validation; trackers get the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.trackers import Tracker

TRAIN_COLUMNS = ("step", "epoch", "learning_rate", "loss")


class MetricsLog:
    """Appends rows as they come. After a kill the rows that training repeats are taken back first."""

    def __init__(
        self, file: Path, columns: Sequence[str], first_step: int, trackers: Sequence[Tracker] = ()
    ) -> None:
        self._file = file
        self._columns = list(columns)
        kept = (
            [row for row in _rows(file, self._columns) if int(row["step"]) <= first_step]
            if first_step
            else []
        )
        write_file(file, _table(self._columns, kept, header=True))
        self._trackers = trackers

    def write(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """One row: optimiser steps and epochs so far (fractions of an epoch are not counted), and values."""
        row = {"step": step, "epoch": epoch} | {name: f"{value:.8g}" for name, value in values.items()}
        with self._file.open("ab") as file:
            file.write(_table(self._columns, [row], header=False))
        grouped = {_grouped(name): value for name, value in values.items()}
        for tracker in self._trackers:
            tracker.write(step, grouped)

    def close(self) -> None:
        """Of the trackers; the file is whole after each row."""
        for tracker in self._trackers:
            tracker.close()


def columns_for(objective: ObjectiveSettings, faces: bool, num_classes: int) -> tuple[str, ...]:
    """The columns that a run fills."""
    parts = (
        *(("classification_loss",) if objective.classifies else ()),
        *(("reconstruction_loss",) if objective.reconstructs else ()),
        *(("view_loss",) if objective.view_task else ()),
        *(f"{name}_loss" for name in objective.terms),
    )
    metrics: tuple[str, ...] = ()
    if objective.classifies:
        if faces:
            metrics = ("val_clip_auc", "val_video_auc", "val_video_accuracy")
        else:
            metrics = ("val_image_accuracy", *(("val_image_auc",) if num_classes == 2 else ()))
    return (*TRAIN_COLUMNS, *parts, "val_loss", *(f"val_{name}" for name in parts), *metrics)


def _grouped(name: str) -> str:
    """A column's name as trackers show it: training and validation apart."""
    group = "validation" if name.startswith("val_") else "training"
    return f"{group}/{name.removeprefix('val_')}"


def _rows(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The whole rows of a file, without a last one that a kill cut short."""
    if not file.is_file():
        return []
    whole, newline, _ = file.read_text(encoding="utf-8").rpartition("\n")
    return list(csv.DictReader(io.StringIO(whole + newline), columns))[1:]


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], header: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
