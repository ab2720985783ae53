"""Reads CIFAR-10 and CIFAR-100 in their official python layout, without running what a pickle asks for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from deepfake_ssat.clips.pictures import Pictures, pictures_of_arrays
from deepfake_ssat.config import Cifar
from deepfake_ssat.errors import ConfigError, CorpusError

SOURCE = (
    "CIFAR-10 and CIFAR-100 are the python versions, cifar-10-python.tar.gz and cifar-100-python.tar.gz, "
    "unpacked, from www.cs.toronto.edu/~kriz/cifar.html"
)
_SIDE = 32
LAYOUTS: dict[str, tuple[tuple[str, ...], str, str, bytes, bytes]] = {
    "cifar-10-batches-py": (
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
        "batches.meta",
        b"labels",
        b"label_names",
    ),
    "cifar-100-python": (("train",), "test", "meta", b"fine_labels", b"fine_label_names"),
}
"""Folder: training files, test file, names file, key of the labels, key of the names."""


def _plain_dtype(name: bytes | str, *_flags: object) -> np.dtype:
    """A number type; the flags that python 2 wrote as integers are left out, numpy deprecates them."""
    dtype = np.dtype(name.decode() if isinstance(name, bytes) else name)
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"holds an array of {dtype}, not of numbers")
    return dtype


def _latin1_bytes(text: str, _encoding: str) -> bytes:
    """How python 3 writes bytes into a pickle that python 2 can read."""
    return text.encode("latin1")


_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _plain_dtype,
    ("_codecs", "encode"): _latin1_bytes,
}
"""What a pickled array is made of; nothing here can run code or touch a file."""


class _ArraysOnly(pickle.Unpickler):
    """Builds numbers, bytes, lists, dictionaries and numpy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which no CIFAR file needs")
        return _ALLOWED[module, name]


def read_cifar(source: Cifar, split: str) -> Pictures:
    """The pictures of a split; val is the last ``val_images`` of the official training files.

    Raises ConfigError where the files are missing, CorpusError where one is damaged or not plain data.
    """
    folder, layout = _find_layout(source.root)
    train_files, test_file, names_file, label_key, names_key = LAYOUTS[layout]
    files = [test_file] if split == "test" else train_files
    batches = [_read_batch(folder / name, label_key) for name in files]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    if split != "test":
        if source.val_images >= len(labels):
            raise ConfigError(
                f"data.val_images is {source.val_images}, {folder} has {len(labels)} training pictures; "
                "hold out fewer"
            )
        kept = slice(-source.val_images) if split == "train" else slice(-source.val_images, None)
        images, labels = images[kept], labels[kept]
    names = _unpickle(folder / names_file).get(names_key, [])
    class_names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
    if labels.max() >= len(class_names):
        raise CorpusError(
            f"{folder / names_file}: names {len(class_names)} classes, labels reach {labels.max()}"
        )
    return pictures_of_arrays(images, labels, class_names, split)


def _find_layout(root: Path) -> tuple[Path, str]:
    """The folder with the files, ``root`` or below it, and which of the two sets it is."""
    found = [
        (folder, layout)
        for layout, (train_files, *_) in LAYOUTS.items()
        for folder in (root, root / layout)
        if (folder / train_files[0]).is_file()
    ]
    if len(found) != 1:
        holds = "both sets" if found else "neither"
        raise ConfigError(f"data.root {root} must hold {' or '.join(LAYOUTS)}, it holds {holds}; {SOURCE}")
    return found[0]


def _unpickle(path: Path) -> dict:
    """The dictionary in an official file; raises CorpusError for anything but plain data."""
    try:
        with path.open("rb") as file:
            values = _ArraysOnly(file, encoding="bytes").load()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: is missing; {SOURCE}") from error
    except Exception as error:  # A damaged pickle raises almost any exception.
        raise CorpusError(f"{path}: is no CIFAR file ({error}); unpack the official archive anew") from error
    if not isinstance(values, dict):
        raise CorpusError(f"{path}: holds a {type(values).__name__}, not a CIFAR dictionary")
    return values


def _read_batch(path: Path, label_key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32, 32, 3) uint8 and (N,) int64 of one file."""
    values = _unpickle(path)
    data, labels = values.get(b"data"), values.get(label_key)
    planes = 3 * _SIDE * _SIDE
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (planes,):
        raise CorpusError(f"{path}: data must be uint8 (N, {planes})")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(type(x) is int for x in labels):
        raise CorpusError(
            f"{path}: {label_key.decode()} must be one class number for each of {len(data)} rows"
        )
    images = data.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, dtype=np.int64)
