"""What the checkpoints of a finished run get right on the test pictures; kept in a file beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.config import PictureSource
from deepfake_ssat.evaluation.pictures import score_pictures
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.run_folder import RunFolder


@dataclass(frozen=True)
class PictureScore:
    """One checkpoint on the test split."""

    epoch: int
    correct: int
    pictures: int
    sha256: str
    """Of the checkpoint."""

    @property
    def accuracy(self) -> float:
        """Top-1."""
        return self.correct / self.pictures


@dataclass(frozen=True)
class RunScores:
    """Of a run's two checkpoints."""

    best: PictureScore
    last: PictureScore


def pictures_of_test(source: PictureSource, image_size: int, channels: int | None = None) -> ImageDataset:
    """The test split; raises DeepfakeError in one line where the data do not give it."""
    return image_dataset(source, "test", image_size, None, 0, channels)


def scores_on_test(folder: RunFolder, source: PictureSource) -> RunScores:
    """Reads what was scored before; scores otherwise, and keeps it."""
    file = folder.root.with_name(f"{folder.root.name}.test.json")
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        return RunScores(PictureScore(**kept["best"]), PictureScore(**kept["last"]))
    scores = RunScores(_score(folder.best, source), _score(folder.last, source))
    write_file(file, (json.dumps(asdict(scores), indent=2) + "\n").encode())
    return scores


def _score(path: Path, source: PictureSource) -> PictureScore:
    checkpoint = load_checkpoint(path, decoder=False)
    settings = checkpoint.settings
    pictures = pictures_of_test(source, settings.image_size, settings.channels)
    right = score_pictures(checkpoint, pictures).argmax(axis=1) == np.array(pictures.labels)
    return PictureScore(checkpoint.metrics["epoch"], int(right.sum()), len(pictures), checkpoint.hash)
