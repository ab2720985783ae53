"""Pictures made here, on which ``--smoke`` shows that every step works and no number means anything."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.cifar import LAYOUTS
from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import ConfigError

MADE_UP_FOLDER = "made_up"
PICTURES = {"train": 48, "val": 16, "test": 32}
CIFAR_FILE_PICTURES = 160
"""Of each of CIFAR's files, so that the held-out part of the smoke overlay leaves some to train on."""


def make_up_data(experiment: Experiment, place: Path) -> None:
    """Writes what an experiment reads: noise, brighter for higher classes.

    Raises ConfigError for a kind of data that is not made up.
    """
    kind = experiment.data.kind
    if kind not in WRITERS:
        raise ConfigError(f"--smoke: data.kind {kind} is not made up here; give --data")
    place.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[kind](place, experiment.model.image_size, experiment.model.num_classes)


def _write_npz(file: Path, side: int, num_classes: int) -> None:
    arrays = {}
    for (split, count), seed in zip(PICTURES.items(), range(len(PICTURES)), strict=True):
        images, labels = _pictures(count, (side, side), num_classes, seed)
        arrays |= {f"{split}_images": images, f"{split}_labels": labels[:, None].astype(np.uint8)}
    np.savez(file, **arrays)


def _write_cifar(folder: Path, side: int, num_classes: int) -> None:
    folder.mkdir(exist_ok=True)
    train_files, test_file, names_file, labels_key, names_key = LAYOUTS[folder.name]
    for seed, name in enumerate((*train_files, test_file)):
        images, labels = _pictures(CIFAR_FILE_PICTURES, (3 * side * side,), num_classes, seed)
        (folder / name).write_bytes(pickle.dumps({b"data": images, labels_key: labels.tolist()}, protocol=2))
    names = {names_key: [f"class {number}".encode() for number in range(num_classes)]}
    (folder / names_file).write_bytes(pickle.dumps(names, protocol=2))


def _pictures(
    count: int, shape: tuple[int, ...], num_classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(N, ...) uint8 and (N,) int64."""
    labels = np.arange(count) % num_classes
    noise = np.random.default_rng(seed).integers(0, 100, (count, *shape))
    brightness = (155 * labels // num_classes).reshape(-1, *(1 for _ in shape))
    return (noise + brightness).astype(np.uint8), labels


WRITERS: dict[str, Callable[[Path, int, int], None]] = {"npz": _write_npz, "cifar": _write_cifar}
"""By the configuration's ``data.kind``."""
