"""Reads ``root/{train,val,test}/<class>/*`` pictures of any size, one at a time when asked for."""

from __future__ import annotations

from pathlib import Path

from deepfake_ssat.clips.pictures import Pictures, pictures_of_files
from deepfake_ssat.config import ImageFolder
from deepfake_ssat.errors import ConfigError

SOURCE = (
    "ImageNet-1K (ILSVRC2012) is ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, sorted into class "
    "folders, from image-net.org"
)
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_image_folder(source: ImageFolder, split: str) -> Pictures:
    """The pictures of a split, as RGB; labels are the sorted class folders, the same in all splits.

    Raises ConfigError where folders are missing or differ between splits.
    """
    if not source.val_fraction:
        return _read(source.root, split, ("train", "val"))
    if split == "test":
        return _read(source.root, "val", ("train",))
    return _read(source.root, "train", ("val",)).held_out(source.val_fraction, split)


def _read(root: Path, split: str, others: tuple[str, ...]) -> Pictures:
    class_names = _class_names(root / split)
    for other in others:
        names = _class_names(root / other)
        if names != class_names:
            raise ConfigError(
                f"{root}: {split} has the classes {', '.join(class_names)} and {other} has "
                f"{', '.join(names)}; both need the same folders"
            )
    files = [
        (file, label)
        for label, name in enumerate(class_names)
        for file in sorted((root / split / name).rglob("*"))
        if file.suffix.lower() in _SUFFIXES
    ]
    if not files:
        raise ConfigError(f"{root / split}: holds no picture ({', '.join(sorted(_SUFFIXES))})")
    return pictures_of_files(files, class_names, root)


def _class_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder; pictures lie in train/<class>/ and val/<class>/ of data.root, and "
            "those of a test split in test/<class>/ (or set data.val_fraction: val/ is then the test split). "
            f"{SOURCE}"
        )
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and child.name[0] != ".")
    if len(names) < 2:
        raise ConfigError(f"{folder}: holds {len(names)} class folders, a classifier needs at least 2")
    return tuple(names)
