"""Cross-manipulation as one table: a row a method, a column a held-out manipulation, and their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.protocols.paper import TABLE_8, PaperRow
from deepfake_ssat.protocols.results import FoldResult
from deepfake_ssat.records import Estimate

METRICS = {
    "auc": "video AUC",
    "accuracy_at_half": "video accuracy at 0.5",
    "accuracy_at_threshold": "video accuracy at the validation threshold",
}
PAPER_METRIC = "accuracy_at_half"
"""What the paper's Table 8 has."""
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class MethodRow:
    """One method: its folds by held-out manipulation, and its means."""

    name: str
    folds: Mapping[str, FoldResult]
    means: Mapping[str, Estimate]
    """By metric, over the columns; None with a reason where a fold or a value is missing."""
    paper: PaperRow | None
    """The paper's row of the same configuration; None unless the data are the official ones."""

    def estimate(self, metric: str, column: str) -> Estimate | None:
        """None where the fold is missing."""
        fold = self.folds.get(column)
        return fold.metrics[metric] if fold else None


@dataclass(frozen=True)
class ManipulationTable:
    """All methods on all held-out manipulations."""

    columns: tuple[str, ...]
    rows: tuple[MethodRow, ...]

    def paper_mean(self, row: MethodRow) -> float | None:
        """In percent, over the columns; None where not all of them are in the paper's row."""
        if row.paper is None or set(self.columns) != set(row.folds):
            return None
        return sum(map(row.paper.accuracy, self.columns)) / len(self.columns)


def manipulation_table(methods: Mapping[str, Sequence[FoldResult]]) -> ManipulationTable:
    """The finished folds of each method, by its name."""
    columns = tuple(sorted({fold.held_out for folds in methods.values() for fold in folds}))
    rows = []
    for name, folds in methods.items():
        by_name = {fold.held_out: fold for fold in folds}
        present = [by_name[column] for column in columns if column in by_name]
        missing = [column for column in columns if column not in by_name]
        means = {metric: _mean(metric, present, missing) for metric in METRICS}
        official = all(not fold.unofficial for fold in folds)
        rows.append(MethodRow(name, by_name, means, TABLE_8.get(folds[0].method) if official else None))
    return ManipulationTable(columns, tuple(rows))


def _mean(metric: str, folds: Sequence[FoldResult], missing: Sequence[str]) -> Estimate:
    """The mean over the columns, with an interval from resamples of the videos of all folds at once."""
    if missing:
        return Estimate(None, note=f"the mean needs every column, {', '.join(missing)} is missing")
    values = [fold.metrics[metric].value for fold in folds]
    if any(value is None for value in values):
        return Estimate(None, note="the mean needs a value in every column")
    mean = float(np.mean([value for value in values if value is not None]))
    interval = metrics.mean_interval([_scores(metric, fold) for fold in folds], BOOTSTRAP_SEED)
    if interval is None:
        return Estimate(mean, note=f"none with fewer than {metrics.SMALLEST_CLASS} real or fake videos")
    return Estimate(mean, interval.low, interval.high)


def _scores(metric: str, fold: FoldResult) -> metrics.FoldScores:
    weighted: metrics.Weighted = metrics.weighted_auc
    if metric != "auc":
        threshold = 0.5 if metric == "accuracy_at_half" else fold.threshold
        assert threshold is not None
        weighted = partial(metrics.weighted_accuracy, threshold=threshold)
    return metrics.FoldScores(
        videos=[video.name for video in fold.videos],
        labels=np.array([video.label for video in fold.videos], dtype=int),
        probabilities=np.array([video.probability for video in fold.videos]),
        metric=weighted,
    )
