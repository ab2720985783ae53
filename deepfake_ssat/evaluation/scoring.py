"""Scores stored clips by a detector: in this process, or in the workers of a cluster with the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.errors import ManifestError
from deepfake_ssat.evaluation.stored_clips import ChangePixels, StoredClip, score_clips
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.pool import Engine, in_order

BATCHES_A_TASK = 8
"""A worker reads the next batch while it scores one, and a task is done in seconds."""

Scored = Iterator[tuple[Sequence[StoredClip], np.ndarray]]
"""Some clips and their probabilities, in the order given."""


@dataclass(frozen=True)
class Scoring:
    """How clips are read."""

    root: Path
    """The manifest's folder."""
    batch: int
    shown: float
    """The part of a stored picture's side that the checkpoint sees."""

    def score(self, detector: Detector, clips: Sequence[StoredClip], change: ChangePixels | None) -> Scored:
        """Batch by batch, in this process; changed first where ``change`` is given."""
        size = detector.checkpoint.settings.image_size
        return score_clips(clips, self.root, size, detector.score, self.batch, change, self.shown)


@dataclass(frozen=True)
class ScoringTask:
    """Some batches for a worker."""

    clips: Sequence[StoredClip]
    change: ChangePixels | None


@dataclass(frozen=True)
class PrepareScoring:
    """Called once in each worker: loads the detector, gives the function of some batches."""

    scoring: Scoring
    checkpoint: Path | None
    device: str
    threads: int

    def __call__(self) -> Callable[[ScoringTask], np.ndarray]:
        """Gives their probabilities."""
        import torch

        torch.set_num_threads(self.threads)
        detector = load_detector(self.checkpoint, self.device)

        def score(task: ScoringTask) -> np.ndarray:
            scored = self.scoring.score(detector, task.clips, task.change)
            return np.concatenate([probabilities for _, probabilities in scored])

        return score


def score_in_workers(
    engine: Engine,
    scoring: Scoring,
    detector: Detector,
    clips: Sequence[StoredClip],
    change: ChangePixels | None,
    threads: int,
) -> Scored:
    """The same batches as in one process, so the same probabilities, and in the same order.

    Raises ManifestError for clips whose worker died again and again, RuntimeError for a bug.
    """
    prepare = PrepareScoring(scoring, detector.own_path, detector.device.type, threads)
    size = scoring.batch * BATCHES_A_TASK
    tasks = [ScoringTask(clips[start : start + size], change) for start in range(0, len(clips), size)]
    for outcome in in_order(engine(prepare, tasks)):
        part = tasks[outcome.task].clips
        first = f"{part[0].row.clip_file} and the {len(part) - 1} clips after it"
        if outcome.traceback:
            raise RuntimeError(f"{first}:\n{outcome.traceback}")
        if outcome.failure is not None:
            raise ManifestError(f"{first}: {outcome.failure}; the same command goes on from here")
        yield part, outcome.value
