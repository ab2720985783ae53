"""A folder that shows what lies in object stores, so that it is found as files of this machine are.

Each file stands there with its name, size and time of change and without its content, which is brought when
the file is read: ``<folder>/s3/bucket/video.mp4`` is ``s3://bucket/video.mp4``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import DeepfakeError, LinkError
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.video.object_store import STORES, StoredObject, fetch, list_objects
from deepfake_ssat.video.transfer import MAX_MEGABYTES


@dataclass(frozen=True)
class Mirror:
    """Of every store; any process of any machine can bring what it shows."""

    folder: Path
    max_megabytes: float = MAX_MEGABYTES
    """Of one file that is brought."""

    def show(self, url: str, contents: frozenset[str] = frozenset()) -> Path:
        """The path that stands for an address, with what is below it; files of these suffixes with content.

        Raises LinkError for what cannot be listed, and for a name that no file here can have.
        """
        for found in list_objects(url):
            place = self._place(found.url)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                self._put(found, place, has_content=found.size > 0 and place.suffix.lower() in contents)
            except OSError as error:
                raise LinkError(
                    f"{found.url}: no file can be made for it here ({error.strerror}); rename it or make room"
                ) from error
        return self._place(url)

    def url_of(self, path: Path) -> str | None:
        """The address that a path stands for; None of any other path."""
        scheme, *parts = path.relative_to(self.folder).parts if path.is_relative_to(self.folder) else ("",)
        return f"{scheme}://{'/'.join(parts)}" if scheme in STORES else None

    @contextmanager
    def at_hand(self, path: Path, progress: Progress = silent) -> Iterator[Path]:
        """The file, or folder of files, that a path stands for, until the block ends; another path as it is.

        Nobody else may read what is brought, and errors call it by its address. Raises LinkError.
        """
        url = self.url_of(path)
        if url is None:
            yield path
            return
        # The run's own folder goes with the run, even where this process is killed; other machines lack it.
        place = self.folder if self.folder.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="deepfake-ssat-", dir=place) as folder:
            here = self._bring(url, Path(folder), progress)
            with _told({f"{here}": url}):
                yield here

    def _bring(self, url: str, folder: Path, progress: Progress) -> Path:
        found = list_objects(url)
        if [item.url for item in found] == [url]:
            return fetch(url, folder, self.max_megabytes, progress)
        whole = folder / "files"
        for item in found:
            place = whole / self._place(item.url).relative_to(self._place(url))
            place.parent.mkdir(parents=True, exist_ok=True)
            fetch(item.url, folder, self.max_megabytes).rename(place)
        return whole

    def _put(self, found: StoredObject, place: Path, has_content: bool) -> None:
        if has_content:
            with tempfile.TemporaryDirectory(dir=self.folder) as brought:
                shutil.move(fetch(found.url, Path(brought), self.max_megabytes), place)
        else:
            with place.open("wb") as file:
                file.truncate(found.size)  # Takes no room on the disk.
        os.utime(place, ns=(found.modified, found.modified))

    def _place(self, url: str) -> Path:
        scheme, _, rest = url.partition("://")
        parts = rest.rstrip("/").split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in rest:
            raise LinkError(f"{url!r}: no file here can have this name; rename it")
        return self.folder.joinpath(scheme, *parts)


@contextmanager
def mirrored(max_megabytes: float) -> Iterator[Mirror]:
    """An empty mirror, gone when the block ends; errors that leave the block name addresses, not paths."""
    with (
        tempfile.TemporaryDirectory(prefix="deepfake-ssat-") as folder,
        _told({f"{folder}/{scheme}/": f"{scheme}://" for scheme in STORES}),
    ):
        yield Mirror(Path(folder), max_megabytes)


@contextmanager
def _told(addresses: Mapping[str, str]) -> Iterator[None]:
    """Errors that leave the block have the addresses in place of the paths."""
    try:
        yield
    except DeepfakeError as error:
        text = str(error)
        for path, url in addresses.items():
            text = text.replace(path, url)
        raise type(error)(text) from error
