"""Reads the cropped digits of Street View House Numbers in their official MATLAB files.

Torchvision's reader accepts the two official files only, by their hashes: no made-up or smaller ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepfake_ssat.clips.matlab import read_matlab
from deepfake_ssat.clips.pictures import Pictures, pictures_of_arrays
from deepfake_ssat.config import Svhn
from deepfake_ssat.errors import CorpusError

SOURCE = (
    "SVHN's cropped digits (format 2) are train_32x32.mat and test_32x32.mat, from "
    "ufldl.stanford.edu/housenumbers"
)


def read_svhn(source: Svhn, split: str) -> Pictures:
    """The digits of a split; raises ConfigError or CorpusError where the files do not give them."""
    if split == "test":
        return _read(source.root / "test_32x32.mat")
    return _read(source.root / "train_32x32.mat").held_out(source.val_fraction, split)


def _read(path: Path) -> Pictures:
    images, labels = read_matlab(path, "X", "y", source=SOURCE)
    labels = labels.ravel()
    if images.dtype != np.uint8 or images.shape[:3] != (32, 32, 3) or images.shape[3:] != labels.shape:
        raise CorpusError(
            f"{path}: X is {images.dtype} {images.shape} for {len(labels)} labels, it must be uint8 "
            f"(32, 32, 3, N); {SOURCE}"
        )
    # The digit 0 is class 10 there.
    digits = labels.astype(np.int64) % 10
    pictures = np.ascontiguousarray(images.transpose(3, 0, 1, 2))
    return pictures_of_arrays(pictures, digits, tuple("0123456789"), path.stem.partition("_")[0])
