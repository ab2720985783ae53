"""Reads Oxford's 102 flowers in their official layout.

Torchvision's reader accepts the official files only, by their hashes: no made-up or smaller ones.
"""

from __future__ import annotations

from deepfake_ssat.clips.matlab import read_matlab
from deepfake_ssat.clips.pictures import Pictures, pictures_of_files
from deepfake_ssat.config import Flowers102
from deepfake_ssat.errors import ConfigError, CorpusError

SOURCE = (
    "Flowers102 is 102flowers.tgz (unpacked: jpg/), imagelabels.mat and setid.mat, from "
    "robots.ox.ac.uk/~vgg/data/flowers/102"
)
ID_NAMES = {"train": "trnid", "val": "valid", "test": "tstid"}
"""Of the official split, by split."""


def read_flowers102(source: Flowers102, split: str) -> Pictures:
    """The flowers of a split; raises ConfigError or CorpusError where the files do not give them."""
    (labels,) = read_matlab(source.root / "imagelabels.mat", "labels", source=SOURCE)
    (ids,) = read_matlab(source.root / "setid.mat", ID_NAMES[split], source=SOURCE)
    numbers, labels = ids.ravel().astype(int), labels.ravel().astype(int)
    if numbers.min() < 1 or numbers.max() > len(labels):
        raise CorpusError(
            f"{source.root}: setid.mat names picture {numbers.max()} of {len(labels)}; {SOURCE}"
        )
    files = [
        (source.root / "jpg" / f"image_{number:05d}.jpg", int(labels[number - 1]) - 1) for number in numbers
    ]
    if not files[0][0].is_file():
        raise ConfigError(f"{files[0][0]}: no such file; {SOURCE}")
    class_names = tuple(str(number) for number in range(1, labels.max() + 1))
    return pictures_of_files(files, class_names, source.root)
