"""What the checkpoints of a finished run get right on test pictures or videos; kept beside the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.clips.perspective import RandomPerspective
from deepfake_ssat.config import FaceClips, PictureSource, Selection
from deepfake_ssat.config.paper import TableRow
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.evaluate import evaluate
from deepfake_ssat.evaluation.pictures import score_pictures
from deepfake_ssat.manifest import load_manifest, select
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.outputs import write_file
from deepfake_ssat.text import read_own
from deepfake_ssat.training.run_folder import RunFolder

OTHER_METRICS = {"auc": "video AUC", "accuracy_at_threshold": "accuracy at the validation threshold"}
"""Beside the accuracy at 0.5, which is the paper's."""


@dataclass(frozen=True)
class TestScore:
    """One checkpoint on the test split; of videos, right at a threshold of 0.5."""

    epoch: int
    correct: int
    items: int
    """Pictures, or videos."""
    sha256: str
    """Of the checkpoint."""
    others: Mapping[str, float | None] = field(default_factory=dict)
    """Of videos, by the names of ``OTHER_METRICS``."""

    @property
    def accuracy(self) -> float:
        """Top-1."""
        return self.correct / self.items


@dataclass(frozen=True)
class RunScores:
    """Of a run's two checkpoints, and of the epochs whose weights it kept."""

    best: TestScore
    last: TestScore
    kept: tuple[TestScore, ...] = ()


def check_test_split(row: TableRow, source: PictureSource | FaceClips, image_size: int) -> None:
    """Raises DeepfakeError in one line where the data do not give a row's test split."""
    if isinstance(source, FaceClips):
        select(load_manifest(source.manifest).rows, _judged(row))
    else:
        _pictures(source, image_size, None, row.perspective)


def scores_on_test(
    folder: RunFolder, row: TableRow, source: PictureSource | FaceClips, *, of_kept: bool
) -> RunScores:
    """Reads what was scored before; scores otherwise, and keeps it; ``of_kept``: each kept epoch too."""
    file = folder.root.with_name(f"{folder.root.name}.{_test_name(row)}.json")
    if file.is_file():
        kept = read_own(file, "best", "last")
        epochs = tuple(TestScore(**score) for score in kept.get("kept", ()))
        return RunScores(TestScore(**kept["best"]), TestScore(**kept["last"]), epochs)
    files = [folder.best, folder.last]
    if of_kept:
        files += [folder.kept(epoch) for epoch in folder.kept_epochs]
    best, last, *epochs = (_score(path, row, source) for path in files)
    scores = RunScores(best, last, tuple(epochs))
    write_file(file, (json.dumps(asdict(scores), indent=2) + "\n").encode())
    return scores


def forget_scores_of_removed(folder: RunFolder) -> None:
    """Beside a folder that is not there they are of one that somebody removed; what that cost was spent."""
    if not folder.root.exists():
        for file in folder.root.parent.glob(f"{folder.root.name}.test*.json"):
            file.unlink()


def _test_name(row: TableRow) -> str:
    """A run may be judged in several ways."""
    if row.judged is not None:
        return f"test_{'_'.join(row.judged.manipulations)}"
    return "test" if row.perspective is None else f"test_perspective_{row.perspective:g}"


def _score(path: Path, row: TableRow, source: PictureSource | FaceClips) -> TestScore:
    if isinstance(source, FaceClips):
        return _score_videos(path, source.manifest, _judged(row))
    checkpoint = load_checkpoint(path, decoder=False)
    settings = checkpoint.settings
    pictures = _pictures(source, settings.image_size, settings.channels, row.perspective)
    right = score_pictures(checkpoint, pictures).argmax(axis=1) == np.array(pictures.labels)
    return TestScore(checkpoint.metrics["epoch"], int(right.sum()), len(pictures), checkpoint.hash)


def _score_videos(path: Path, manifest: Path, judged: Selection) -> TestScore:
    report = evaluate(path, manifest, selection=judged)
    whole, weights = report.groups[0], report.provenance["checkpoint"]
    items, accuracy = whole.num_real + whole.num_fake, whole.video["accuracy_at_half"].value
    assert accuracy is not None
    return TestScore(
        weights["metrics"]["epoch"],
        round(accuracy * items),
        items,
        weights["sha256"],
        {name: whole.video[metric].value for metric, name in OTHER_METRICS.items()},
    )


def _pictures(
    source: PictureSource, image_size: int, channels: int | None, perspective: float | None
) -> ImageDataset:
    change = None if perspective is None else RandomPerspective(perspective)
    return image_dataset(source, "test", image_size, None, 0, channels, change=change)


def _judged(row: TableRow) -> Selection:
    if row.judged is None:
        raise ConfigError(f"row {row.name} is of face clips; say in the table which videos are judged")
    return row.judged
