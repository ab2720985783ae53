"""What ``detect`` is given: files, videos in folders and object stores, and links, downloaded for a while."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deepfake_ssat.commands.verdict_log import file_state
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.progress import Progress
from deepfake_ssat.video.download import WebPageError, check_link, download, is_link
from deepfake_ssat.video.linked_page import download_from_page
from deepfake_ssat.video.mirror import Mirror
from deepfake_ssat.video.object_store import fetch, is_stored

HEIC_SUFFIXES = {".heic", ".heif"}


def find_sources(
    given: Sequence[Path | str],
    mirror: Mirror,
    order: str = "name",
    *,
    read_twice: bool = False,
    tell: Callable[[str], object] = len,
) -> tuple[list[Path], list[str]]:
    """The videos, and the links to download first.

    Of files and folders in object stores, videos as the mirror shows them, to be brought one by one; where
    they are to be ``read_twice``, they are among the links. ``order`` is by name or newest (of the videos).
    ``tell`` hears which pictures are left out.
    Raises DeepfakeError for what is not there, and for an address that is not taken.
    """
    addresses = list(dict.fromkeys(text for text in map(str, given) if is_link(text)))
    stored = [] if read_twice else [address for address in addresses if is_stored(address)]
    links = [address for address in addresses if address not in stored]
    for link in links:
        if not is_stored(link):
            check_link(link)
    files = [Path(path) for path in given if not is_link(str(path))]
    videos = list_videos([*files, *map(mirror.show, stored)], tell)
    if order == "newest":
        videos.sort(key=_modified, reverse=True)
    return videos, links


def list_videos(paths: Sequence[Path], tell: Callable[[str], object] = len) -> list[Path]:
    """The files as given, and the videos in folders at any depth, behind links too, by name, each once.

    Of a folder that holds no video they are the pictures; beside videos, where covers and thumbnails lie,
    pictures are left out, and ``tell`` hears of it.

    A file is taken whatever its name; a missing path, or a folder without a video, raises DeepfakeError.
    """
    from deepfake_ssat.corpora.files import PICTURE_SUFFIXES, VIDEO_SUFFIXES, has_suffix, walk

    found: dict[Path, None] = {}
    for path in paths:
        if not os.path.exists(path):
            raise ConfigError(f"{path} does not exist, or may not be read; give video files or folders")
        inside = [path]
        if path.is_dir():
            listed = [folder.path / name for folder in walk(path) for name in folder.files]
            videos, pictures = (
                sorted(file for file in listed if has_suffix(file.name, suffixes))
                for suffixes in (VIDEO_SUFFIXES, PICTURE_SUFFIXES | HEIC_SUFFIXES)
            )
            inside = videos or pictures
            if videos and pictures:
                count = f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}"
                tell(f"{path} holds videos: {count} beside them left out; give pictures by name")
        if not inside:
            suffixes = " ".join(sorted(VIDEO_SUFFIXES))
            raise ConfigError(
                f"{path} holds no video ({suffixes}) and no picture; give a file, or a folder that holds some"
            )
        found.update(dict.fromkeys(inside))
    return list(found)


@contextmanager
def downloaded(links: Sequence[str], max_megabytes: float, progress: Progress) -> Iterator[Mapping[str, str]]:
    """By file, the address it came from; nobody else may read the files, and they go when the block ends.

    Raises LinkError where one cannot be had.
    """
    if not links:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="deepfake-ssat-") as folder:
        found = {}
        for number, link in enumerate(links):
            place = Path(folder, str(number))
            place.mkdir()
            found[str(_bring(link, place, max_megabytes, progress))] = link
        yield found


def _bring(link: str, folder: Path, max_megabytes: float, progress: Progress) -> Path:
    if is_stored(link):
        return fetch(link, folder, max_megabytes, progress)
    try:
        return download(link, folder, max_megabytes, progress)
    except WebPageError:
        return download_from_page(link, folder, max_megabytes, progress)


def _modified(path: Path) -> int:
    """Nanoseconds; 0 of what has vanished meanwhile."""
    state = file_state(path)
    return state["modified"] if state else 0
