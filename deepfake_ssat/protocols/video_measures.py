"""What is compared of runs on the same videos: AUC, and accuracy at two thresholds.

N videos, S runs of a method.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.metrics import PairedDifference
from deepfake_ssat.protocols.comparison import SEED, Common, Measured, mean_of_runs
from deepfake_ssat.protocols.manipulation_table import METRICS
from deepfake_ssat.protocols.runs import VideoRun
from deepfake_ssat.records import FAKE, REAL, Estimate


class VideoMeasures:
    """Of probabilities of fake."""

    judged = "videos"
    titles = METRICS

    def check(self, common: Common) -> None:
        """Raises ConfigError where a class is missing among the videos that all runs judged."""
        real, fake = self._counts(common)
        if not real or not fake:
            raise ConfigError(
                f"{common.prefix}the runs have {real + fake} videos in common ({real} real, {fake} fake), "
                "both classes are needed; give results on the same data"
            )

    def counted(self, common: Common) -> str:
        """The videos in words."""
        real, fake = self._counts(common)
        return f"{real} real and {fake} fake videos"

    def lack(self, common: Common) -> str:
        """Why so few cannot tell."""
        return f"{self.counted(common)}, {metrics.SMALLEST_TESTED_CLASS} of each are needed"

    def values(self, common: Common) -> dict[str, int]:
        """The videos in numbers."""
        real, fake = self._counts(common)
        return {"num_real": real, "num_fake": fake}

    def measure(self, common: Common, metric: str, runs: Sequence[VideoRun]) -> Measured:
        """One metric of a method's runs; none where one has no validation threshold."""
        cuts = [0.0] * len(runs) if metric == "auc" else _cuts(metric, runs)
        if cuts is None:
            return Measured((), Estimate(None, note="a run has no validation threshold"))
        weighted: list[metrics.Weighted] = [
            metrics.weighted_auc if metric == "auc" else partial(metrics.weighted_accuracy, threshold=cut)
            for cut in cuts
        ]
        few = f"none with fewer than {metrics.SMALLEST_CLASS} real or fake videos"
        return mean_of_runs(common, common.labels, _scores(common, runs), weighted, few)

    def difference(
        self, common: Common, metric: str, first: Sequence[VideoRun], second: Sequence[VideoRun]
    ) -> PairedDifference | None:
        """None where a run has no threshold."""
        scores = [_scores(common, runs) for runs in (first, second)]
        if metric == "auc":
            return metrics.compare_auc(common.labels, scores[0], scores[1], SEED)
        cuts = [_cuts(metric, runs) for runs in (first, second)]
        if cuts[0] is None or cuts[1] is None:
            return None
        calls = [runs >= np.array(cut)[:, None] for runs, cut in zip(scores, cuts, strict=True)]
        return metrics.compare_accuracy(common.labels, calls[0], calls[1], SEED)

    @staticmethod
    def _counts(common: Common) -> tuple[int, int]:
        return int(np.sum(common.labels == REAL)), int(np.sum(common.labels == FAKE))


def _scores(common: Common, runs: Sequence[VideoRun]) -> np.ndarray:
    """(S, N)"""
    return np.array([[run.videos[name].probability for name in common.names] for run in runs])


def _cuts(metric: str, runs: Sequence[VideoRun]) -> list[float] | None:
    """Each run's threshold for an accuracy; None where one has none."""
    if metric == "accuracy_at_half":
        return [0.5] * len(runs)
    cuts = [run.threshold for run in runs if run.threshold is not None]
    return cuts if len(cuts) == len(runs) else None
