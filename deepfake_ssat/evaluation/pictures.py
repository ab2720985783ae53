"""A model of pictures on one split of a labelled set: top-1 and top-5, overall and by class; AUC of two.

N pictures, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepfake_ssat.clips.augment import ClipAugmentation
from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.clips.perspective import RandomPerspective
from deepfake_ssat.clips.trained_pictures import trained_pictures
from deepfake_ssat.config import PictureSource
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.account import checkpoint_facts
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.metrics import SMALLEST_CLASS, auc, bootstrap_interval, weighted_auc, wilson_interval
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint
from deepfake_ssat.models.decision import Calibration, Decision, wording_of_pictures
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import FAKE, SPLITS, Estimate

BATCH_PICTURES = {"cpu": 64, "cuda": 256}
TOP = 5
"""Top-5 is of sets with more classes than that."""
MAX_READERS = 8


@dataclass(frozen=True)
class ClassResult:
    """One class of the set."""

    name: str
    pictures: int
    top1: Estimate
    """With Wilson's interval, as all accuracies here; no value without a picture."""


@dataclass(frozen=True)
class ScoredPicture:
    """What the model says of one picture."""

    name: str
    label: str
    predicted: str
    probability: float
    """Of what is predicted; of two classes as the checkpoint's decision scales it."""
    verdict: str | None
    """Of two classes, which one by the decision's cuts, or ``uncertain``; None with more classes."""
    rank: int
    """Of the label among all classes, 1 for the highest."""


@dataclass(frozen=True)
class PictureReport:
    """One checkpoint on one split."""

    provenance: dict[str, Any]
    """JSON values: command, training, checkpoint, data, scoring."""
    top1: Estimate
    top5: Estimate
    auc: Estimate
    """Of two classes, whatever the cut: how often the second scores above the first. Bootstrap interval."""
    classes: tuple[ClassResult, ...]
    pictures: tuple[ScoredPicture, ...]
    calibration: Calibration | None
    """What the decision rests on, where ``calibrate`` made it."""
    warnings: tuple[str, ...]


def evaluate_pictures(
    checkpoint: Path | str,
    data: Path | str,
    *,
    split: str = "test",
    perspective: float | None = None,
    device: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> PictureReport:
    """Measures a model of pictures on a split of the set that it was trained on, which lies at ``data``.

    ``perspective`` measures pictures as seen from other places, drawn by the seed: how far corners move, in
    halves of a side; 0.5 makes the paper's CIFAR-100-p and IN-1K-p (table 2). Raises DeepfakeError for what
    the user can correct.
    """
    if perspective is not None and not 0 < perspective <= 1:
        raise ConfigError(f"perspective is {perspective:g}; give more than 0, 1 at most (table 2: 0.5)")
    model = load_checkpoint(checkpoint, resolve_device(device), decoder=False)
    change = None if perspective is None else RandomPerspective(perspective)
    source, pictures = open_pictures(model, Path(data), split, seed, change)
    logits = score_pictures(model, pictures, batch, progress)
    scoring = {"split": split, "perspective": perspective, "seed": seed}
    facts = {
        "command": typed_command(),
        **checkpoint_facts(model),
        "data": source.model_dump(mode="json"),
        "scoring": scoring,
    }
    return _measured(facts, model.decision, pictures, logits, tuple(_doubts(source, split)))


def open_pictures(
    model: Checkpoint, data: Path, split: str, seed: int = 0, change: ClipAugmentation | None = None
) -> tuple[PictureSource, ImageDataset]:
    """A split of the set that a classifier was trained on, which lies at ``data``; ``change`` spoils it.

    Raises CheckpointError or ConfigError where model and set do not go together.
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split}: pictures have {', '.join(SPLITS)}; give one of them")
    model.require_classifier()
    source, settings = trained_pictures(model, data), model.settings
    pictures = image_dataset(source, split, settings.image_size, None, seed, settings.channels, change=change)
    if len(pictures.class_names) != settings.num_classes:
        raise ConfigError(
            f"{data}: has {len(pictures.class_names)} classes, the model {settings.num_classes}; give the "
            "set that it was trained on"
        )
    return source, pictures


def score_pictures(
    checkpoint: Checkpoint, pictures: ImageDataset, batch: int | None = None, progress: Progress = silent
) -> np.ndarray:
    """(N, K) logits in fp32, in the order of the pictures."""
    device = next(checkpoint.model.parameters()).device
    found = []
    with progress("scoring pictures", "picture", len(pictures)) as advance, torch.inference_mode():
        for pixels in _batches(pictures, batch or BATCH_PICTURES[device.type]):
            clips = normalize_pixels(pixels.to(device), checkpoint.settings)
            found.append(checkpoint.model.classify(clips).float().cpu().numpy())
            advance(len(pixels))
    return np.concatenate(found)


def _batches(pictures: ImageDataset, size: int) -> Iterator[torch.Tensor]:
    with ThreadPoolExecutor(min(MAX_READERS, os.cpu_count() or 1), "picture-reader") as pool:
        for first in range(0, len(pictures), size):
            indices = range(first, min(first + size, len(pictures)))
            yield torch.stack([item["pixels"] for item in pool.map(pictures.__getitem__, indices)])


def _measured(
    facts: dict[str, Any],
    decision: Decision,
    pictures: ImageDataset,
    logits: np.ndarray,
    warnings: tuple[str, ...],
) -> PictureReport:
    labels, names = np.array(pictures.labels), pictures.class_names
    # The label's rank counts those above it, and of equal ones those before it, as an argmax does.
    own = logits[np.arange(len(labels)), labels][:, None]
    before = np.arange(logits.shape[1]) < labels[:, None]
    ranks = 1 + ((logits > own) | ((logits == own) & before)).sum(axis=1)
    predicted = logits.argmax(axis=1)
    few = Estimate(None, note=f"the set has {len(names)} classes")
    if len(names) == 2:
        second = decision.probabilities(torch.from_numpy(logits).double()).numpy()
        sure = np.where(predicted == FAKE, second, 1 - second)
        wording = wording_of_pictures((names[0], names[1]))
        verdicts = [wording.says(decision.verdict(float(value))) for value in second]
        area = _auc(labels, second, facts["scoring"]["seed"])
    else:
        sure = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        verdicts, area = [None] * len(labels), few
    return PictureReport(
        provenance=facts,
        top1=_accuracy(ranks == 1),
        top5=_accuracy(ranks <= TOP) if len(names) > TOP else few,
        auc=area,
        classes=tuple(
            ClassResult(name, int((labels == label).sum()), _accuracy(ranks[labels == label] == 1))
            for label, name in enumerate(names)
        ),
        pictures=tuple(
            ScoredPicture(name, names[label], names[choice], float(probability), verdict, int(rank))
            for name, label, choice, probability, verdict, rank in zip(
                pictures.videos, labels, predicted, sure, verdicts, ranks, strict=True
            )
        ),
        calibration=decision.calibration,
        warnings=warnings,
    )


def _auc(labels: np.ndarray, second: np.ndarray, seed: int) -> Estimate:
    value = auc(labels, second)
    if value is None:
        return Estimate(None, note="the split has pictures of one class")
    interval = bootstrap_interval(weighted_auc, labels, second, seed)
    if interval is None:
        return Estimate(value, note=f"no interval with fewer than {SMALLEST_CLASS} pictures of a class")
    return Estimate(value, interval.low, interval.high)


def _accuracy(right: np.ndarray) -> Estimate:
    if not len(right):
        return Estimate(None, note="no picture")
    return Estimate(float(right.mean()), *wilson_interval(int(right.sum()), len(right)))


def _doubts(source: PictureSource, split: str) -> list[str]:
    """Which training step saw the split before."""
    if split == "train":
        return ["the model was trained on these pictures: the figures are too good"]
    if split == "val" or source.train_on_val:
        return ["these pictures chose the best epoch: of best.safetensors the figures are too good"]
    return []
