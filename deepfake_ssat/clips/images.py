"""Labelled pictures as a torch data set of clips of one frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from deepfake_ssat.clips.array_file import read_array_file
from deepfake_ssat.clips.augment import ClipAugmentation, MakeViews
from deepfake_ssat.clips.chaoyang import read_chaoyang
from deepfake_ssat.clips.cifar import read_cifar
from deepfake_ssat.clips.domainnet import read_domainnet
from deepfake_ssat.clips.flowers102 import read_flowers102
from deepfake_ssat.clips.image_folder import read_image_folder
from deepfake_ssat.clips.items import VIEW_STREAM, Example, SharedEpoch, item_generator
from deepfake_ssat.clips.pictures import Pictures
from deepfake_ssat.clips.resize import resize_and_crop
from deepfake_ssat.clips.svhn import read_svhn
from deepfake_ssat.config import PictureSource


class ImageDataset(Dataset[Example]):
    """Pictures of ``image_size``: the shorter side resized and the centre cut out, augmented where training.

    ``crop_pct`` is the part of the resized side that is kept where nothing is augmented. An augmentation that
    ``crops`` gets the whole picture, so that no border is lost to training. With ``views`` an item has two
    more versions of the whole picture. ``change`` spoils what is not augmented, the same way in every epoch.
    """

    def __init__(
        self,
        pictures: Pictures,
        image_size: int,
        augmentation: ClipAugmentation | None,
        seed: int,
        *,
        crops: bool = False,
        crop_pct: float = 1.0,
        change: ClipAugmentation | None = None,
        views: MakeViews | None = None,
    ) -> None:
        self._pictures = pictures
        self._views = views
        self._image_size = image_size
        self._augmentation = augmentation
        self._crops = crops
        self._crop_pct = crop_pct
        self._change = change
        self._seed = seed
        self._epoch = SharedEpoch()
        self.labels: list[int] = list(pictures.labels)
        self.videos: list[str] = list(pictures.names)
        """A picture's name; its index is the item's ``video``."""
        self.class_names: tuple[str, ...] = pictures.class_names

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random augmentations the items show."""
        self._epoch.set(epoch)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Example:
        picture = self._pictures.load(index)
        if self._augmentation is None:
            pixels = resize_and_crop(picture, self._image_size, self._crop_pct)[None]
            if self._change is not None:
                pixels = self._change(pixels, item_generator(self._seed, 0, index))
        else:
            whole = picture if self._crops else resize_and_crop(picture, self._image_size)
            pixels = self._augmentation(whole[None], item_generator(self._seed, self._epoch.get(), index))
        item: Example = {
            "pixels": torch.from_numpy(np.array(pixels)),
            "label": self.labels[index],
            "video": index,
        }
        if self._views is not None:
            generator = item_generator(self._seed, self._epoch.get(), index, VIEW_STREAM)
            item["views"] = self._views(picture[None], generator)
        return item


PICTURE_READERS: dict[str, Callable[[Any, str], Pictures]] = {
    "npz": read_array_file,
    "cifar": read_cifar,
    "svhn": read_svhn,
    "flowers102": read_flowers102,
    "domainnet": read_domainnet,
    "chaoyang": read_chaoyang,
    "image_folder": read_image_folder,
}
"""Readers of one split, by the config's ``data.kind``."""


def read_pictures(source: PictureSource, split: str) -> Pictures:
    """A split as training sees it; with ``train_on_val``, train is train and val, and val is test.

    Raises ConfigError or CorpusError where the files do not give it.
    """
    read = PICTURE_READERS[source.kind]
    if not source.train_on_val:
        return read(source, split)
    return read(source, "train").joined(read(source, "val")) if split == "train" else read(source, "test")


def image_dataset(
    source: PictureSource,
    split: str,
    image_size: int,
    augmentation: ClipAugmentation | None,
    seed: int,
    channels: int | None = None,
    *,
    crops: bool = False,
    change: ClipAugmentation | None = None,
    views: MakeViews | None = None,
) -> ImageDataset:
    """The pictures of one split (train, val or test); only train is augmented.

    ``crops`` says that the augmentation takes pictures of any size; ``change`` spoils pictures that are not
    augmented, drawn by the seed. ``channels`` is what the model reads: grey pictures are repeated to fill
    three; None keeps what is stored.
    Raises ConfigError or CorpusError where the files do not give that.
    """
    pictures = read_pictures(source, split)
    if channels is not None:
        pictures = pictures.with_channels(channels)
    if split == "train" and source.fraction < 1:
        pictures = pictures.part(source.fraction, seed)
    used = augmentation if split == "train" else None
    return ImageDataset(
        pictures,
        image_size,
        used,
        seed,
        crops=crops,
        crop_pct=source.crop_pct,
        change=change,
        views=views,
    )
