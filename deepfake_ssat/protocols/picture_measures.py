"""What is compared of runs on the same pictures: top-1, top-5 of more classes than five, AUC of two.

N pictures, S runs of a method.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import PairedDifference
from deepfake_ssat.protocols.comparison import SEED, Common, Measured, mean_of_runs
from deepfake_ssat.protocols.runs import PictureRun
from deepfake_ssat.records import Estimate

SHOWN_CLASSES = 5
"""In a message."""
RANKS = {"top1": 1, "top5": 5}
"""Metric -> the lowest rank of a picture's class that counts as right."""


class PictureMeasures:
    """Of ranks of each picture's class among all, and of two classes of the second one's probability."""

    judged = "pictures"

    def __init__(self, classes: Sequence[str]) -> None:
        """``classes`` are those of the set, in its order."""
        self._second = classes[1]
        self.titles = {
            metric: f"top-{rank} accuracy"
            for metric, rank in RANKS.items()
            if rank == 1 or rank < len(classes)
        }
        if len(classes) == 2:
            self.titles["auc"] = "AUC"

    def check(self, common: Common) -> None:
        """Raises ConfigError where the runs share no picture."""
        if not common.names:
            raise ConfigError("the runs have no picture in common; give results on the same data")

    def counted(self, common: Common) -> str:
        """The pictures in words."""
        return f"{len(common.names)} pictures"

    def lack(self, common: Common) -> str:
        """Why so few cannot tell."""
        needed = f"{metrics.SMALLEST_TESTED_SET} are needed"
        return f"{self.counted(common)}, {needed}" + (
            f" (AUC: {metrics.SMALLEST_TESTED_CLASS} of each class)" if "auc" in self.titles else ""
        )

    def values(self, common: Common) -> dict[str, dict[str, int]]:
        """The pictures of each class."""
        names, counts = np.unique(common.labels, return_counts=True)
        return {"classes": dict(zip(names.tolist(), counts.tolist(), strict=True))}

    def measure(self, common: Common, metric: str, runs: Sequence[PictureRun]) -> Measured:
        """One metric of a method's runs."""
        if metric == "auc":
            return self._area(common, runs)
        right = _right(common, metric, runs)
        low, high = metrics.hits_interval(right, SEED)
        few = f"none with fewer than {metrics.SMALLEST_SET} pictures" if low is None else ""
        return Measured(
            tuple(right.mean(axis=1).tolist()), Estimate(float(right.mean()), low, high, note=few)
        )

    def difference(
        self, common: Common, metric: str, first: Sequence[PictureRun], second: Sequence[PictureRun]
    ) -> PairedDifference | None:
        """The first minus the second; no AUC where one class is left."""
        if metric == "auc":
            labels = self._labels(common)
            if len(np.unique(labels)) == 1:
                return None
            return metrics.compare_auc(labels, _scores(common, first), _scores(common, second), SEED)
        return metrics.compare_hits(_right(common, metric, first), _right(common, metric, second), SEED)

    def _area(self, common: Common, runs: Sequence[PictureRun]) -> Measured:
        labels = self._labels(common)
        if len(np.unique(labels)) == 1:
            return Measured((), Estimate(None, note="the runs share pictures of one class"))
        few = f"none with fewer than {metrics.SMALLEST_CLASS} pictures of a class"
        weighted = [metrics.weighted_auc] * len(runs)
        return mean_of_runs(common, labels, _scores(common, runs), weighted, few)

    def _labels(self, common: Common) -> np.ndarray:
        return (common.labels == self._second).astype(int)


def check_same_set(runs: Sequence[PictureRun]) -> None:
    """Raises ConfigError where not all are of one set's pictures, shown alike."""
    first = runs[0]
    for run in runs:
        if run.seen != first.seen:
            raise ConfigError(
                f"{run.source}: is of {run.seen}, {first.source} of {first.seen}; give evaluations of the "
                "same pictures"
            )
        if run.classes != first.classes:
            raise ConfigError(
                f"{run.source}: has classes {_listed(run.classes)}, {first.source} {_listed(first.classes)}; "
                "give evaluations of the same pictures"
            )


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(classes[:SHOWN_CLASSES]) + (", ..." if len(classes) > SHOWN_CLASSES else "")


def _right(common: Common, metric: str, runs: Sequence[PictureRun]) -> np.ndarray:
    """(S, N), 1 where a run's ranking is right."""
    return np.array([[run.pictures[name].rank <= RANKS[metric] for name in common.names] for run in runs])


def _scores(common: Common, runs: Sequence[PictureRun]) -> np.ndarray:
    """(S, N), of the second class."""
    return np.array([[run.pictures[name].second for name in common.names] for run in runs])
