"""Reads one domain of DomainNet by its official lists: ``path label`` a line, paths below the root."""

from __future__ import annotations

from pathlib import Path

from deepfake_ssat.clips.pictures import Pictures, pictures_of_files
from deepfake_ssat.config import DomainNet
from deepfake_ssat.errors import ConfigError, CorpusError


def read_domainnet(source: DomainNet, split: str) -> Pictures:
    """The pictures of a split; raises ConfigError or CorpusError where the files do not give them."""
    train, test = (_read_list(source, part) for part in ("train", "test"))
    names = {label: path.parent.name for path, label in (*train, *test)}
    # A class that a list leaves out keeps its number.
    class_names = tuple(names.get(label, f"class {label}") for label in range(max(names) + 1))
    listed = test if split == "test" else train
    pictures = pictures_of_files(listed, class_names, source.root)
    return pictures if split == "test" else pictures.held_out(source.val_fraction, split)


def _read_list(source: DomainNet, part: str) -> list[tuple[Path, int]]:
    file = source.root / f"{source.domain}_{part}.txt"
    remedy = (
        f"DomainNet is {source.domain}.zip (unpacked: {source.domain}/), {source.domain}_train.txt and "
        f"{source.domain}_test.txt, cleaned version, from ai.bu.edu/M3SDA"
    )
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; {remedy}")
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        path, _, label = line.rpartition(" ")
        if not path or not label.isdigit():
            raise CorpusError(f"{file}: line {number} is {line!r}, it must be a path and a class; {remedy}")
        found.append((source.root / path, int(label)))
    if not found or not found[0][0].is_file():
        raise ConfigError(f"{found[0][0] if found else file}: is not there, or empty; {remedy}")
    return found
