"""Finds the files of a corpus: videos, pictures, names in any case, and folders behind links."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import CorpusError

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LIST_SUFFIXES = frozenset({".csv", ".json", ".txt"})
"""Of the lists of splits and labels that corpora bring."""
FRAME_FOLDERS = ("images", "frames")
"""Where copies keep extracted frames, a folder for each video."""


@dataclass(frozen=True)
class FolderListing:
    """One folder of a tree."""

    path: Path
    files: tuple[str, ...]
    """The names of its files, sorted."""
    is_repeated: bool = False
    """A link to a folder that is listed elsewhere already: its files are not listed again."""


def walk(root: Path) -> Iterator[FolderListing]:
    """Every folder of a tree once, those behind links after the others; a loop of links ends.

    Raises CorpusError where a folder may not be read: its videos would be missing without a word.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = deque([root]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in seen:
                yield FolderListing(folder, (), is_repeated=True)
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
            for entry in entries:
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(folder / entry.name)
            files = tuple(entry.name for entry in entries if entry.is_file())
        except OSError as error:
            raise CorpusError(
                f"{error.filename or folder} cannot be read ({error.strerror}); give it leave, or other paths"
            ) from error
        yield FolderListing(folder, files)


def find(folder: Path, *names: str) -> Path:
    """The path below a folder whatever the case of its names on disk; as written where it does not exist."""
    for name in names:
        path = folder / name
        if not path.exists() and folder.is_dir():
            alike = (child for child in sorted(folder.iterdir()) if child.name.lower() == name.lower())
            path = next(alike, path)
        folder = path
    return folder


def list_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name; an absent folder has none."""
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def list_videos(folder: Path) -> list[Path]:
    """The video files directly in a folder, by name; an absent folder has none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_video(path))


def list_frame_folders(folder: Path) -> list[Path]:
    """Each folder of pictures, a video's extracted frames, in the folder's ``frames/`` or ``images/``."""
    return [
        path
        for name in FRAME_FOLDERS
        for path in list_folders(find(folder, name))
        if any(has_suffix(name, PICTURE_SUFFIXES) for name in os.listdir(path))
    ]


def preferred(videos: list[Path], frame_folders: list[Path], crops: bool) -> list[Path]:
    """A video's file rather than its frames; where crops are taken, the other way round."""
    return (frame_folders or videos) if crops else (videos or frame_folders)


def is_video(path: Path) -> bool:
    """Whether the name is a video's; hidden files (such as macOS's ``._x.mp4``) are none."""
    return has_suffix(path.name, VIDEO_SUFFIXES) and path.is_file()


def is_picture(path: Path) -> bool:
    """Whether the name is a still picture's; hidden files are none."""
    return has_suffix(path.name, PICTURE_SUFFIXES) and path.is_file()


def has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    """Whether a file name, unless it is hidden, ends in one of the suffixes, in any case."""
    return os.path.splitext(name)[1].lower() in suffixes and not name.startswith(".")


def is_text(name: str) -> bool:
    """Whether the bytes of a name are UTF-8: a manifest is text and can hold no other."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def relative_name(path: Path, root: Path) -> str:
    """The path below the root with forward slashes; a path outside the root as it is."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
