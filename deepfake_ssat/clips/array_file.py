"""Reads a MedMNIST-style npz: ``{train,val,test}_{images,labels}``, one label a picture."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.pictures import Pictures, pictures_of_arrays
from deepfake_ssat.config import ArrayFile
from deepfake_ssat.errors import ConfigError, CorpusError

SOURCE = "MedMNIST's sets, such as pneumoniamnist.npz (28 pixels), are from medmnist.com"


def read_array_file(source: ArrayFile, split: str) -> Pictures:
    """The pictures of a split.

    Raises ConfigError where the file is missing, CorpusError where it breaks the layout.
    """
    if source.path.is_dir():
        raise ConfigError(f"{source.path}: is a folder; give the MedMNIST-style npz itself (data.path)")
    if not source.path.is_file():
        raise ConfigError(f"{source.path}: no such file; set data.path to a MedMNIST-style npz. {SOURCE}")
    try:
        with source.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images, labels = _read_part(archive, split, source.path)
            num_classes = 1 + max(
                int(archive[key].max(initial=0)) for key in archive.files if key.endswith("_labels")
            )
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CorpusError(f"{source.path}: is no readable npz of plain arrays ({error})") from error
    return pictures_of_arrays(images, labels, tuple(str(label) for label in range(num_classes)), split)


def _read_part(archive: np.lib.npyio.NpzFile, part: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W, C) uint8 and (N,) int64 of one part; grey (N, H, W) gets its channel."""
    for key in (f"{part}_images", f"{part}_labels"):
        if key not in archive.files:
            raise CorpusError(f"{path}: has no {key} (it holds {', '.join(sorted(archive.files))})")
    images, labels = archive[f"{part}_images"], archive[f"{part}_labels"]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or images.dtype != np.uint8:
        raise CorpusError(
            f"{path}: {part}_images is {images.dtype} {images.shape}, "
            "it must be uint8 (N, H, W) or (N, H, W, 3)"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        raise CorpusError(
            f"{path}: {part}_labels is {labels.dtype} {labels.shape}, it must be one class number a picture"
        )
    if len(images) != len(labels) or not len(labels):
        raise CorpusError(f"{path}: {part} has {len(images)} images and {len(labels)} labels")
    return images, labels.astype(np.int64)
