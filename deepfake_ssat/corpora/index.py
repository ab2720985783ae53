"""What indexing a corpus folder gives: its videos, and every file or name that was left out, and why."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import SPLITS, SourceVideo

ORIGINAL = "original"
"""The manipulation of genuine videos."""

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


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


def list_videos(folder: Path) -> list[Path]:
    """The video files directly in a folder, by name; an absent folder has none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_video(path))


def is_video(path: Path) -> bool:
    """Whether the name is a video's; hidden files (such as macOS's ``._x.mp4``) are none."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def is_picture(path: Path) -> bool:
    """Whether the name is a still picture's; hidden files are none."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def holds_pictures(folder: Path) -> bool:
    """Whether a folder or one of its sub-folders holds extracted frames."""
    if not folder.is_dir():
        return False
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())[:3]]
    return any(
        path.suffix.lower() in PICTURE_SUFFIXES for candidate in candidates for path in candidate.iterdir()
    )


def relative_name(path: Path, root: Path) -> str:
    """The path below the root with forward slashes; a path outside the root as it is."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def unique_ids(paths: list[Path], root: Path) -> list[str]:
    """One id for each file: its relative name without suffix, with it where two files share the stem."""
    stems = [_safe_id(relative_name(path.with_suffix(""), root)) for path in paths]
    times = Counter(stems)
    ids = [
        stem if times[stem] == 1 else f"{stem}{path.suffix}" for stem, path in zip(stems, paths, strict=True)
    ]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise CorpusError(f"{root}: {twice[0]} is listed twice; list each video once")
    return ids


def _safe_id(name: str) -> str:
    """A relative path that stays inside the folder it is written to."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return "/".join(re.sub(r"[:*?\"<>|\x00-\x1f]", "_", part) for part in parts)
