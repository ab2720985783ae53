"""What indexing a corpus folder gives: its videos, and every file or name that was left out, and why."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.corpora.files import (
    FRAME_FOLDERS,
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    has_suffix,
    relative_name,
    walk,
)
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import SPLITS, SourceVideo

ORIGINAL = "original"
"""The manipulation of genuine videos."""
WHERE_CROPS_ARE_TAKEN = "a video, where pictures of faces are taken"
MASK_FOLDER = "masks"
ARCHIVE_SUFFIXES = frozenset({".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"})


@dataclass(frozen=True)
class CorpusOptions:
    """Which part of a corpus is indexed, and how its splits are made; empty tuples select everything."""

    compressions: tuple[str, ...] = ()
    """FaceForensics++ only: ``raw`` (alias ``c0``), ``c23``, ``c40``."""
    manipulations: tuple[str, ...] = ()
    """Of the fakes; genuine videos of the same corpus are kept."""
    splits: tuple[str, ...] = ()
    validation_parts: tuple[int, ...] | None = None
    """DFDC only: the numbers of the training parts that are held out, in place of the last tenth."""
    split_by_identity: bool = False
    """Celeb-DF only: splits of our own, without a common identity, in place of the official test list."""
    crops: bool = False
    """Take the pictures, which are faces already: videos are left out, and a video may have several."""
    keep_guesses: bool = False
    """Of a CSV: also what its column ``certainty`` calls a guess."""

    def __post_init__(self) -> None:
        unknown = [split for split in self.splits if split not in SPLITS]
        if unknown:
            raise CorpusError(f"split {unknown[0]!r} is none of {', '.join(SPLITS)}")


@dataclass(frozen=True)
class LeftOut:
    """A file that is no video of the index, or a listed name without a file."""

    name: str
    """Relative to the corpus root."""
    reason: str


@dataclass(frozen=True)
class CorpusIndex:
    """The videos of a corpus folder."""

    videos: tuple[SourceVideo, ...]
    left_out: tuple[LeftOut, ...] = ()


def unrecognised(root: Path, index: CorpusIndex, crops: bool = False) -> list[LeftOut]:
    """Videos, pictures and archives anywhere below the root of which the index says nothing, by name."""
    paths = [*(video.path for video in index.videos), *(root / item.name for item in index.left_out)]
    real = {folder: os.path.realpath(folder) for folder in {path.parent for path in paths}}
    known = {(real[path.parent], path.name) for path in paths}
    of_videos = WHERE_CROPS_ARE_TAKEN if crops else "where this corpus has no videos"
    return sorted(set(_unrecognised(root, known, of_videos)), key=lambda item: item.name)


def safe_id(name: str) -> str:
    """A relative path that stays inside the folder it is written to."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return "/".join(re.sub(r"[:*?\"<>|\x00-\x1f]", "_", part) for part in parts)


def unique_ids(paths: list[Path], root: Path) -> list[str]:
    """One id for each file: its relative name without suffix, with it where two files share the stem."""
    stems = [safe_id(relative_name(path.with_suffix(""), root)) for path in paths]
    times = Counter(stems)
    ids = [
        stem if times[stem] == 1 else f"{stem}{path.suffix}" for stem, path in zip(stems, paths, strict=True)
    ]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise CorpusError(f"{root}: {twice[0]} is listed twice; list each video once")
    return ids


def _unrecognised(root: Path, known: set[tuple[str, str]], of_videos: str) -> Iterator[LeftOut]:
    for folder in walk(root):
        parts = folder.path.relative_to(root).parts
        real = os.path.realpath(folder.path)
        is_frames = (os.path.dirname(real), os.path.basename(real)) in known
        if is_frames or MASK_FOLDER in (part.lower() for part in parts):
            continue
        for name in folder.files:
            if (real, name) in known:
                continue
            if has_suffix(name, VIDEO_SUFFIXES):
                yield LeftOut(relative_name(folder.path / name, root), of_videos)
            elif has_suffix(name, ARCHIVE_SUFFIXES):
                yield LeftOut(relative_name(folder.path / name, root), "an archive: unpack it")
            elif has_suffix(name, PICTURE_SUFFIXES):
                yield LeftOut(_frame_folder(folder.path, root), "extracted frames that are not read")


def _frame_folder(folder: Path, root: Path) -> str:
    """The ``images/`` or ``frames/`` that a folder of pictures is in, else the folder itself."""
    above = [path for path in (folder, *folder.parents) if path != root and path.is_relative_to(root)]
    named = [path for path in above if path.name.lower() in FRAME_FOLDERS]
    return relative_name(named[-1] if named else folder, root)
