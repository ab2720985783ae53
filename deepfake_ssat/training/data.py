"""From an experiment's data section to the two loaders of a run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepfake_ssat.clips.augment import build_augmentation, build_views
from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.clips.items import prepare_worker
from deepfake_ssat.clips.sampling import fake_fraction
from deepfake_ssat.config import Experiment, FaceClips, Mixture
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.interruption import signals_held
from deepfake_ssat.objectives import equation3_weights
from deepfake_ssat.training.batches import EpochBatches, validation_batches
from deepfake_ssat.training.examples import Examples, ValidationSet
from deepfake_ssat.training.face_clips import load_face_clips
from deepfake_ssat.training.processes import Processes


class NumberedItems(Dataset[dict[str, Any]]):
    """A data set whose items also tell their ``item`` number."""

    def __init__(self, examples: ValidationSet) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self._examples[index], "item": index}


class Loader(DataLoader[Any]):
    """No signal ends its workers while they start, before ``prepare_worker`` leaves it to their parent."""

    def __iter__(self) -> Any:
        with signals_held():
            return super().__iter__()


class Loaders:
    """The training loader, which can begin anywhere in any epoch, and the validation loader."""

    def __init__(self, examples: Examples, experiment: Experiment, processes: Processes) -> None:
        data = experiment.data
        balanced = isinstance(data, FaceClips) and data.balanced_sampling
        batch_size = experiment.optimizer.batch_size
        self._examples = examples.train
        train = examples.train
        pairs = None if isinstance(train, ImageDataset) or not train.is_paired else train.pairs
        self._batches = EpochBatches(
            examples.train.labels, batch_size, experiment.seed, balanced, processes, pairs
        )
        shown = validation_batches(len(examples.val), batch_size, processes)
        workers = experiment.trainer.workers
        common: dict[str, Any] = {
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "worker_init_fn": prepare_worker,
            "pin_memory": torch.cuda.is_available(),
        }
        self.train = Loader(examples.train, batch_sampler=self._batches, **common)
        self.val = Loader(NumberedItems(examples.val), batch_sampler=shown, **common)

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
    if isinstance(data, FaceClips | Mixture):
        return load_face_clips(experiment, data, augmentation, views)
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

    ``auto`` takes the fraction of fakes among the face clips that an epoch shows, of a mixture too (0.5 where
    sampling balances them); other pictures are not weighted, as in the paper.
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
    if not isinstance(data, FaceClips | Mixture):
        return None
    fraction = fake_fraction(labels)
    balanced = isinstance(data, FaceClips) and data.balanced_sampling
    return equation3_weights(0.5 if balanced else fraction)
