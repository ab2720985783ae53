"""From an experiment's data section to the two loaders of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from deepfake_ssat.clips.augment import build_augmentation, build_views
from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.clips.items import prepare_worker
from deepfake_ssat.clips.sampling import fake_fraction
from deepfake_ssat.config import Experiment, ExtractionSettings, FaceClips, NetworkSettings
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.manifest import load_manifest, people, select
from deepfake_ssat.objectives import equation3_weights
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.training.batches import EpochBatches, own_share
from deepfake_ssat.training.hardware import Processes


@dataclass(frozen=True)
class Examples:
    """The data sets of an experiment, and what a checkpoint says of them."""

    train: FaceClipDataset | ImageDataset
    val: FaceClipDataset | ImageDataset
    contract: ExtractionSettings | None = None
    """How the face clips were cut; None for other pictures."""
    manifest_hash: str | None = None
    seen: dict[str, list[str]] | None = None
    """By split, whose faces these are, as ``manifest.people`` names them; None for other pictures."""


class NumberedItems(Dataset[dict[str, Any]]):
    """A data set whose items also tell their ``item`` number."""

    def __init__(self, examples: FaceClipDataset | ImageDataset) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self._examples[index], "item": index}


class Loaders:
    """The training loader, which can begin anywhere in any epoch, and the validation loader."""

    def __init__(self, examples: Examples, experiment: Experiment, processes: Processes) -> None:
        data = experiment.data
        balanced = isinstance(data, FaceClips) and data.balanced_sampling
        batch_size = experiment.optimizer.batch_size
        self._examples = examples.train
        with_fakes = isinstance(data, FaceClips) and data.pseudo_fakes is not None
        pairs = examples.train.pairs if with_fakes and isinstance(examples.train, FaceClipDataset) else None
        self._batches = EpochBatches(
            examples.train.labels, batch_size, experiment.seed, balanced, processes, pairs
        )
        share = own_share(len(examples.val), processes)
        if not share:
            raise ConfigError(
                f"{processes.count} processes cannot share {len(examples.val)} validation items; start fewer"
            )
        workers = experiment.trainer.workers
        common: dict[str, Any] = {
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "worker_init_fn": prepare_worker,
            "pin_memory": torch.cuda.is_available(),
        }
        self.train = DataLoader(examples.train, batch_sampler=self._batches, **common)
        self.val = DataLoader(Subset(NumberedItems(examples.val), share), batch_size=batch_size, **common)

    def start(self, epoch: int, first_batch: int = 0) -> None:
        """What the training loader's next iteration shows; the epochs after it are to be started as well."""
        self._examples.set_epoch(epoch)
        self._batches.start(epoch, first_batch)


def load_examples(experiment: Experiment) -> Examples:
    """The data sets of an experiment; raises DeepfakeError in one line where data and model do not fit."""
    data, model = experiment.data, experiment.model
    augmentation = build_augmentation(experiment.augmentation, model.image_size)
    views = None
    if experiment.objective.view_task is not None:
        views = build_views(experiment.augmentation.views, model.image_size)
    if isinstance(data, FaceClips):
        manifest = load_manifest(data.manifest)
        _require_clips_for(model, manifest.contract)
        shared = {
            "frames": model.frames,
            "image_size": model.image_size,
            "seed": experiment.seed,
            "pseudo_fakes": data.pseudo_fakes,
            "views": views,
        }
        train_rows, val_rows = select(manifest.rows, data.train), select(manifest.rows, data.val)
        train = FaceClipDataset(
            manifest,
            train_rows,
            clips_per_face=data.clips_per_face,
            augmentation=augmentation,
            training=True,
            **shared,
        )
        val = FaceClipDataset(
            manifest,
            val_rows,
            clips_per_face=data.val_clips_per_face,
            augmentation=None,
            training=False,
            **shared,
        )
        if experiment.objective.classifies:
            _require_both_kinds(val.labels)
        seen = {"train": people(train_rows), "val": people(val_rows)}
        return Examples(train, val, manifest.contract, manifest.hash, seen)
    crops = experiment.augmentation.random_resized_crop is not None
    train, val = (
        image_dataset(
            data,
            split,
            model.image_size,
            augmentation,
            experiment.seed,
            model.channels,
            crops=crops,
            views=views,
        )
        for split in ("train", "val")
    )
    if len(train.class_names) != model.num_classes:
        raise ConfigError(
            f"the pictures have {len(train.class_names)} classes, the model {model.num_classes}; "
            f"set model.num_classes={len(train.class_names)}"
        )
    return Examples(train, val)


def class_weights(experiment: Experiment, labels: list[int]) -> Tensor | None:
    """The weights of real and fake by equation 3, or None for the same weight.

    ``auto`` takes the fraction of fakes among the face clips that an epoch shows (0.5 where sampling balances
    them); other pictures are not weighted, as in the paper.
    """
    objective, data = experiment.objective, experiment.data
    if not objective.classifies or objective.class_weight == "none":
        return None
    if objective.class_weight != "auto":
        if experiment.model.num_classes != 2:
            raise ConfigError(
                f"objective.class_weight {objective.class_weight} is for 2 classes, the model has "
                f"{experiment.model.num_classes}; set it to none"
            )
        return equation3_weights(objective.class_weight)
    if not isinstance(data, FaceClips):
        return None
    fraction = fake_fraction(labels)
    return equation3_weights(0.5 if data.balanced_sampling else fraction)


def _require_clips_for(model: NetworkSettings, contract: ExtractionSettings) -> None:
    for name, given, needed in (("channels", model.channels, 3), ("num_classes", model.num_classes, 2)):
        if given != needed:
            raise ConfigError(f"model.{name} is {given}, face clips need {needed}; set model.{name}={needed}")
    if model.frames > contract.frames:
        raise ConfigError(
            f"model.frames is {model.frames}, the clips were extracted for {contract.frames}; "
            f"run preprocess with --frames {model.frames}, or set model.frames={contract.frames}"
        )


def _require_both_kinds(labels: list[int]) -> None:
    num_real, num_fake = labels.count(REAL), labels.count(FAKE)
    if not num_real or not num_fake:
        raise ManifestError(
            f"validation clips are {num_real} real and {num_fake} fake, choosing the best weights needs "
            "both; widen data.val"
        )
