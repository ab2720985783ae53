"""Which pictures or face clips are looked at: drawn from a split by a seed, the same for every checkpoint.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.images import ImageDataset, image_dataset
from deepfake_ssat.clips.trained_pictures import trained_pictures
from deepfake_ssat.config import NetworkSettings, Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.manifest import load_manifest, select
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.pixels import normalize_pixels

FACE_CLASSES = ("real", "fake")


@dataclass(frozen=True)
class Samples:
    """Some items of a data set, as one network reads them."""

    examples: FaceClipDataset | ImageDataset
    settings: NetworkSettings
    items: tuple[int, ...]
    """Numbers within the data set, in the order in which they are looked at."""
    class_names: tuple[str, ...]
    """Of each label."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def unit(self) -> str:
        """What one of them is."""
        return (
            "face clip"
            if isinstance(self.examples, FaceClipDataset) and self.settings.frames > 1
            else "picture"
        )

    def name(self, item: int) -> str:
        """Of the video that a clip is from, or of a picture."""
        examples = self.examples
        video = examples.item_videos[item] if isinstance(examples, FaceClipDataset) else item
        return examples.videos[video]

    def label(self, item: int) -> int:
        """The class of an item."""
        return self.examples.labels[item]

    def pixels(self, item: int) -> Tensor:
        """(T, H, W, C) uint8."""
        return self.examples[item]["pixels"]

    def groups(self, size: int) -> list[Samples]:
        """One after the other, ``size`` each; a last smaller part is left out unless it is all there is."""
        whole = max(len(self) // size, 1)
        return [
            replace(self, items=self.items[size * number : size * (number + 1)]) for number in range(whole)
        ]

    def batches(self, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised clips (B, C, T, H, W) and labels (B,), at most ``size`` at a time."""
        for first in range(0, len(self), size):
            items = self.items[first : first + size]
            pixels = torch.stack([self.pixels(item) for item in items]).to(device)
            labels = torch.tensor([self.label(item) for item in items], device=device)
            yield normalize_pixels(pixels, self.settings), labels

    def shown(self, names: Sequence[str], count: int) -> tuple[int, ...]:
        """Items of the split by their names; without names, ``count`` of the samples, class by class.

        Raises ConfigError for a name that the split does not have.
        """
        if not names:
            return self._of_each_class(count)
        numbers: dict[str, int] = {}
        for item in range(len(self.examples)):
            numbers.setdefault(self.name(item), item)
        unknown = [name for name in names if name not in numbers]
        if unknown:
            raise ConfigError(
                f"--show {unknown[0]}: the split has no such {self.unit}; its names are like "
                f"{', '.join(list(numbers)[:3])}"
            )
        return tuple(numbers[name] for name in names)

    def _of_each_class(self, count: int) -> tuple[int, ...]:
        """The first of each class, then the second of each, and so on."""
        turns: dict[int, int] = {}
        order = []
        for place, item in enumerate(self.items):
            label = self.label(item)
            turns[label] = turns.get(label, 0) + 1
            order.append((turns[label], label, place, item))
        return tuple(item for *_, item in sorted(order)[:count])


def draw_samples(checkpoint: Checkpoint, data: Path, selection: Selection, count: int, seed: int) -> Samples:
    """``count`` or less of a split: face clips of a manifest, one a face, or the checkpoint's pictures.

    Raises DeepfakeError where the data are not what the checkpoint reads.
    """
    examples, class_names = _examples(checkpoint, data, selection, seed)
    if len(class_names) != checkpoint.settings.num_classes:
        raise ConfigError(
            f"{data}: its pictures have {len(class_names)} classes, the model of {checkpoint.path} "
            f"{checkpoint.settings.num_classes}; give the data it was trained on"
        )
    order = np.random.default_rng(seed).permutation(len(examples))[:count]
    return Samples(examples, checkpoint.settings, tuple(order.tolist()), class_names)


def _examples(
    checkpoint: Checkpoint, data: Path, selection: Selection, seed: int
) -> tuple[FaceClipDataset | ImageDataset, tuple[str, ...]]:
    settings = checkpoint.settings
    if checkpoint.contract is None:
        if selection != Selection(splits=selection.splits) or len(selection.splits) != 1:
            raise ConfigError(
                f"{checkpoint.path} reads pictures: give one --split, no corpus, compression or manipulation"
            )
        source = trained_pictures(checkpoint, data)
        pictures = image_dataset(
            source, selection.splits[0], settings.image_size, None, seed, settings.channels
        )
        return pictures, pictures.class_names
    manifest = load_manifest(data)
    checkpoint.contract.require_same(
        manifest.contract, ours=f"checkpoint {checkpoint.path}", theirs=f"manifest {manifest.root}"
    )
    clips = FaceClipDataset(
        manifest,
        select(manifest.rows, selection),
        frames=settings.frames,
        image_size=settings.image_size,
        clips_per_face=1,
        augmentation=None,
        seed=seed,
        training=False,
    )
    return clips, FACE_CLASSES
