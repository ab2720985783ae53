"""Reads what table 5's runs left: a result for each finished method, seed and variant, and its curves."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from table5_plan import METHODS, VARIANTS, seed_folder, stage_names
from table5_runs import read_cost, scores_on_test

from deepfake_ssat.config import Experiment, load_experiment
from deepfake_ssat.training.run_folder import RunFolder

CURVES = ("val_image_accuracy", "classification_loss", "reconstruction_loss")
"""Columns of metrics.csv that are drawn."""


@dataclass(frozen=True)
class Result:
    """One method, trained to the end under one seed."""

    variant: str
    method: str
    seed: int
    epochs: int
    """Of all its trainings together."""
    stages: tuple[Experiment, ...]
    top1_best_on_test: float | None
    """Variant paper: the best over all epochs, watched on test."""
    best_epoch: int
    """Of the chosen checkpoint: on test (paper) or on validation (held_out)."""
    top1_last: float
    """Of the last epoch, on test."""
    top1_chosen: float | None
    """Variant held_out: on test, of the checkpoint that validation chose."""
    validation_best: float | None
    """Variant held_out: what that checkpoint had on validation."""
    pictures: int
    """Of the test split."""
    cost: dict[str, Any]
    curves: dict[str, dict[float, float]]
    """By column: epoch -> value; the epochs of pre-training come first."""


def read_results(out: Path, data: Path, num_test: int) -> tuple[list[Result], list[str]]:
    """The finished methods of a folder, and a line for each that is under way."""
    results, unfinished = [], []
    for variant in VARIANTS:
        seeds = sorted(
            int(path.name.removeprefix("seed")) for path in (out / "runs" / variant).glob("seed[0-9]*")
        )
        for seed in seeds:
            for method in METHODS:
                folders = [RunFolder(seed_folder(out, variant, seed) / name) for name in stage_names(method)]
                if not folders[0].config.is_file():
                    continue
                if folders[-1].finished:
                    results.append(_result(out, data, num_test, variant, seed, method, folders))
                else:
                    unfinished.append(f"{variant}, seed {seed}: {method} is under way")
    return results, unfinished


def _result(
    out: Path, data: Path, num_test: int, variant: str, seed: int, method: str, folders: list[RunFolder]
) -> Result:
    stages = tuple(load_experiment(folder.config) for folder in folders)
    rows = _rows(folders[-1].metrics)
    accuracies = {
        int(row["epoch"]): float(row["val_image_accuracy"]) for row in rows if row["val_image_accuracy"]
    }
    before = sum(stage.trainer.epochs for stage in stages[:-1])
    best_epoch = max(accuracies, key=lambda epoch: accuracies[epoch])
    top1_best = chosen = validation_best = None
    if variant == "held_out":
        scores = scores_on_test(folders[-1].root, data)
        best_epoch = scores["best"]["epoch"]
        chosen, last = (scores[name]["correct"] / scores[name]["pictures"] for name in ("best", "last"))
        validation_best = accuracies[best_epoch]
    else:
        top1_best, last = accuracies[best_epoch], accuracies[max(accuracies)]
    return Result(
        variant,
        method,
        seed,
        before + stages[-1].trainer.epochs,
        stages,
        top1_best,
        before + best_epoch,
        last,
        chosen,
        validation_best,
        num_test,
        read_cost(out, variant, seed, method),
        _curves(folders, stages),
    )


def _curves(folders: list[RunFolder], stages: tuple[Experiment, ...]) -> dict[str, dict[float, float]]:
    """The mean of each column over an epoch's rows."""
    values: dict[str, dict[float, list[float]]] = {name: defaultdict(list) for name in CURVES}
    before = 0
    for folder, stage in zip(folders, stages, strict=True):
        for row in _rows(folder.metrics):
            for name in CURVES:
                if row.get(name):
                    values[name][before + int(row["epoch"])].append(float(row[name]))
        before += stage.trainer.epochs
    return {
        name: {epoch: float(np.mean(found)) for epoch, found in epochs.items()}
        for name, epochs in values.items()
        if epochs
    }


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
