"""Reads Chaoyang, slides of the colon, by its official lists: ``[{"name": path, "label": 0}, …]``."""

from __future__ import annotations

import json

from deepfake_ssat.clips.pictures import Pictures, pictures_of_files
from deepfake_ssat.config import Chaoyang
from deepfake_ssat.errors import ConfigError, CorpusError

CLASS_NAMES = ("normal", "serrated", "adenocarcinoma", "adenoma")
SOURCE = (
    "Chaoyang is train.json, test.json and the folders train/ and test/, on request from "
    "bupt-ai-cz.github.io/HSA-NRL"
)


def read_chaoyang(source: Chaoyang, split: str) -> Pictures:
    """The pictures of a split; raises ConfigError or CorpusError where the files do not give them."""
    file = source.root / ("test.json" if split == "test" else "train.json")
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; {SOURCE}")
    try:
        listed = [
            (source.root / entry["name"], int(entry["label"]))
            for entry in json.loads(file.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{file}: is no list of names and labels ({error}); {SOURCE}") from error
    if not listed or not all(0 <= label < len(CLASS_NAMES) for _, label in listed):
        raise CorpusError(f"{file}: is empty, or has labels beyond 0 to {len(CLASS_NAMES) - 1}; {SOURCE}")
    if not listed[0][0].is_file():
        raise ConfigError(f"{listed[0][0]}: no such file; {SOURCE}")
    pictures = pictures_of_files(listed, CLASS_NAMES, source.root)
    return pictures if split == "test" else pictures.held_out(source.val_fraction, split)
