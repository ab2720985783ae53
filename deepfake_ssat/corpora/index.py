"""What indexing a corpus folder gives: its videos, and every file or name that was left out, and why."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
NAME_BYTES = 241
"""Of a part of an id: as file name ``.<id>.json.partial`` it has the 255 that file systems take."""
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
    """A relative path that stays inside the folder it is written to, and whose parts are names of files."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return "/".join(_short(re.sub(r"[:*?\"<>|\x00-\x1f]", "_", part)) for part in parts)


def _short(part: str) -> str:
    return part if len(os.fsencode(part)) <= NAME_BYTES else _with_digest(part, part)


def _with_digest(part: str, name: str) -> str:
    """Told apart from others by its name, and short enough with it."""
    ending = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    return os.fsencode(part)[: NAME_BYTES - len(ending)].decode("utf-8", "ignore") + ending


def unique_ids(paths: list[Path], root: Path) -> list[str]:
    """One id for each file: its relative name without suffix, with it where two files share the stem.

    Names that are the same even so once they are safe (``a?.mp4`` and ``a_.mp4``), or that would make one id
    a folder where the other has its file, have a digest behind them.
    """
    names = [relative_name(path, root) for path in paths]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CorpusError(f"{root}: {twice[0]} is listed twice; list each video once")
    stems = [safe_id(relative_name(path.with_suffix(""), root)) for path in paths]
    times = Counter(stems)
    ids = [
        stem if times[stem] == 1 else f"{stem}{path.suffix}" for stem, path in zip(stems, paths, strict=True)
    ]
    times, folders = Counter(ids), {str(folder) for one in ids for folder in PurePosixPath(one).parents}
    return [
        one if times[one] == 1 and f"{one}.json" not in folders else _told_apart(one, name)
        for one, name in zip(ids, names, strict=True)
    ]


def _told_apart(video_id: str, name: str) -> str:
    folder, slash, last = video_id.rpartition("/")
    return folder + slash + _with_digest(last, name)


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
