"""What the checkpoints of a finished run get right on the test pictures; kept in a file beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.config import ArrayFile, Cifar, ImageFolder
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.run_folder import RunFolder

PictureSource = ArrayFile | Cifar | ImageFolder
BATCH = 64


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
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(pictures), BATCH):
            items = [pictures[index] for index in range(first, min(first + BATCH, len(pictures)))]
            clips = normalize_pixels(torch.stack([item["pixels"] for item in items]), settings)
            labels = torch.tensor([item["label"] for item in items])
            correct += int((checkpoint.model.classify(clips).argmax(dim=1) == labels).sum())
    return PictureScore(checkpoint.metrics["epoch"], correct, len(pictures), checkpoint.hash)
