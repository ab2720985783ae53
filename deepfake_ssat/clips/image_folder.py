"""Reads ``root/{train,val}/<class>/*`` pictures of any size, one at a time when asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from deepfake_ssat.clips.pictures import Pictures
from deepfake_ssat.config import ImageFolder
from deepfake_ssat.errors import ConfigError, CorpusError

_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_image_folder(source: ImageFolder, split: str) -> Pictures:
    """The pictures of a split, as RGB; labels are the sorted class folders, the same in all splits.

    Raises ConfigError where folders are missing or differ between splits.
    """
    class_names = _class_names(source.root / split)
    for other in ("train", "val"):
        names = _class_names(source.root / other)
        if names != class_names:
            raise ConfigError(
                f"{source.root}: {split} has the classes {', '.join(class_names)} and {other} has "
                f"{', '.join(names)}; both need the same folders"
            )
    files = [
        (file, label)
        for label, name in enumerate(class_names)
        for file in sorted((source.root / split / name).rglob("*"))
        if file.suffix.lower() in _SUFFIXES
    ]
    if not files:
        raise ConfigError(f"{source.root / split}: holds no picture ({', '.join(sorted(_SUFFIXES))})")
    paths = tuple(file for file, _ in files)
    return Pictures(
        load=partial(_load, paths),
        labels=tuple(label for _, label in files),
        names=tuple(file.relative_to(source.root).as_posix() for file in paths),
        class_names=class_names,
        channels=3,
    )


def _class_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; data.root needs train/<class>/ and val/<class>/")
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and child.name[0] != ".")
    if len(names) < 2:
        raise ConfigError(f"{folder}: holds {len(names)} class folders, a classifier needs at least 2")
    return tuple(names)


def _load(paths: tuple[Path, ...], index: int) -> np.ndarray:
    """(H, W, 3) uint8, turned as its camera tag says; raises CorpusError naming a damaged file."""
    try:
        with Image.open(paths[index]) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise CorpusError(f"{paths[index]}: cannot be read ({error}); repair or remove it") from error
