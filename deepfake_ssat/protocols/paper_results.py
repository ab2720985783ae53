"""What the runs of a table left: a result for each finished row, seed and variant, with its curves."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.config import Experiment, FaceClips, Mixture, PictureSource, load_experiment
from deepfake_ssat.config.paper import PaperTable, TableRow
from deepfake_ssat.protocols.costs import Cost, read_cost
from deepfake_ssat.protocols.paper_plan import RUNS_FOLDER, stage_folders
from deepfake_ssat.protocols.scores_on_test import RunScores, scores_on_test
from deepfake_ssat.training.run_folder import RunFolder

ACCURACY = "val_image_accuracy"
VIDEO_AUC = "val_video_auc"
CURVES = (ACCURACY, VIDEO_AUC, "classification_loss", "reconstruction_loss")
"""Columns of metrics.csv that are drawn."""
Curve = Mapping[float, float]
"""Epoch -> value."""


@dataclass(frozen=True)
class RowResult:
    """One row, trained to the end under one variant and seed; accuracies are parts of 1."""

    variant: str
    row: str
    seed: int
    epochs: int
    """Of all its trainings together."""
    stages: tuple[Experiment, ...]
    best_on_test: float | None
    """The best over all epochs where test was watched, over those whose weights were kept elsewhere, the
    chosen and the last among them; None where none were."""
    kept_epochs: tuple[int, ...]
    """Whose weights were kept, and scored on test for that."""
    best_epoch: int
    """Of the chosen checkpoint: on test where that was watched, on validation elsewhere."""
    last: float
    """Of the last epoch, on test."""
    chosen: float | None
    """On test, of the checkpoint that validation chose; None where test was watched."""
    validation_best: float | None
    """What that checkpoint had on validation: accuracy, of videos AUC."""
    pictures: int
    """Of the test split; or its videos."""
    others: Mapping[str, float | None]
    """Of videos, what else was measured of the chosen checkpoint."""
    cost: Cost
    curves: Mapping[str, Curve]
    """By column; the epochs of earlier stages come first."""


@dataclass(frozen=True)
class Results:
    """All that is there of a table."""

    finished: tuple[RowResult, ...]
    under_way: tuple[str, ...]
    """A line each."""


def read_results(table: PaperTable, out: Path, data: Path | None) -> Results:
    """The rows whose last training is finished; ``data`` is where the test split is, if it moved since.

    Folders of several machines, copied together, are read alike.
    """
    finished, under_way = [], []
    for variant in table.variants:
        folder = out / RUNS_FOLDER / variant
        for seed in sorted(int(path.name.removeprefix("seed")) for path in folder.glob("seed[0-9]*")):
            for row in table.rows:
                folders = stage_folders(table, out, variant, seed, row.name)
                absent = [one.root.name for one in folders if not one.config.is_file()]
                is_last_there = folders[-1].config.is_file()
                if absent and is_last_there:
                    under_way.append(
                        f"{variant}, seed {seed}: {row.name} cannot be told without the folder of its stage "
                        f"{absent[0]}; copy it from the machine that trained it"
                    )
                elif is_last_there and folders[-1].finished:
                    finished.append(_result(table, variant, row, seed, folders, data))
                elif is_last_there or folders[0].config.is_file():
                    under_way.append(f"{variant}, seed {seed}: {row.name} is under way")
    return Results(tuple(finished), tuple(under_way))


def _result(
    table: PaperTable, variant: str, row: TableRow, seed: int, folders: Sequence[RunFolder], data: Path | None
) -> RowResult:
    stages = tuple(load_experiment(folder.config) for folder in folders)
    before = sum(stage.trainer.epochs for stage in stages[:-1])
    watched_metric = ACCURACY if row.judged is None else VIDEO_AUC
    accuracies = {
        int(line["epoch"]): float(line[watched_metric])
        for line in _lines(folders[-1].metrics)
        if line.get(watched_metric)
    }
    # What training watched are the pictures as they are.
    watched = _watches_test(stages[-1]) and row.perspective is None
    source = judged_source(table.data_of(row), stages[-1], data)
    scores = scores_on_test(folders[-1], row, source, of_kept=not watched)
    best_epoch = max(accuracies, key=lambda epoch: accuracies[epoch]) if watched else scores.best.epoch
    return RowResult(
        variant=variant,
        row=row.name,
        seed=seed,
        epochs=before + stages[-1].trainer.epochs,
        stages=stages,
        best_on_test=accuracies[best_epoch] if watched else _best_of_kept(scores),
        kept_epochs=tuple(before + score.epoch for score in scores.kept),
        best_epoch=before + best_epoch,
        last=accuracies[max(accuracies)] if watched else scores.last.accuracy,
        chosen=None if watched else scores.best.accuracy,
        validation_best=None if watched else accuracies[best_epoch],
        pictures=scores.last.items,
        others=scores.best.others,
        cost=read_cost(folders),
        curves=_curves(folders, stages),
    )


def _best_of_kept(scores: RunScores) -> float | None:
    if not scores.kept:
        return None
    return max(score.accuracy for score in (scores.best, scores.last, *scores.kept))


def _watches_test(experiment: Experiment) -> bool:
    """Whether what training calls validation is the test split."""
    return not isinstance(experiment.data, FaceClips | Mixture) and experiment.data.train_on_val


def judged_source(
    places: Mapping[str, Path], experiment: Experiment, data: Path | None
) -> PictureSource | FaceClips:
    """Where a row is judged, which may be other data than its last stage was trained on."""
    source = experiment.data
    assert not isinstance(source, Mixture), "planning refuses it"
    if data is None:
        return source
    moved = {key.removeprefix("data."): data / name for key, name in places.items()}
    return source.model_copy(update=moved)


def _curves(folders: Sequence[RunFolder], stages: Sequence[Experiment]) -> dict[str, Curve]:
    """The mean of each column over an epoch's lines."""
    values: dict[str, dict[float, list[float]]] = {name: defaultdict(list) for name in CURVES}
    before = 0
    for folder, stage in zip(folders, stages, strict=True):
        for line in _lines(folder.metrics):
            for name in CURVES:
                if line.get(name):
                    values[name][before + int(line["epoch"])].append(float(line[name]))
        before += stage.trainer.epochs
    return {
        name: {epoch: float(np.mean(found)) for epoch, found in epochs.items()}
        for name, epochs in values.items()
        if epochs
    }


def _lines(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
