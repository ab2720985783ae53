"""Files of object stores, ``s3://`` and ``gs://``: listed, and brought, by fsspec (the extra ``remote``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_ssat.errors import LinkError, install
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.video.transfer import Answer, BreakError, bring

STORES = {"s3": "s3fs", "gs": "gcsfs"}
"""By the scheme of their addresses, the package through which fsspec reaches them."""
PIECE = 1 << 22
"""Bytes asked for at once."""


@dataclass(frozen=True)
class StoredObject:
    """One file of a store."""

    url: str
    size: int
    """Bytes."""
    modified: int
    """Nanoseconds since 1970, by the store's clock."""


def is_stored(text: str) -> bool:
    """Whether it is an address in an object store."""
    scheme, found, _ = text.partition("://")
    return bool(found) and scheme in STORES


def list_objects(url: str) -> list[StoredObject]:
    """The file of an address; of a folder's, the files below it at any depth. Raises LinkError, one line."""
    store, path = _open_store(url)
    try:
        with _in_words(url):
            info = store.info(path)
            found = {path: info} if info["type"] == "file" else store.find(path, detail=True)
    except BreakError as error:
        raise LinkError(f"{url}: cannot be listed ({error}); check address, credentials, network") from error
    scheme = url.partition("://")[0]
    return [_stored(f"{scheme}://{name}", info) for name, info in found.items() if info["type"] == "file"]


def fetch(url: str, folder: Path, max_megabytes: float, progress: Progress = silent) -> Path:
    """The file of an address, in ``folder``, as ``bring`` does; raises LinkError, one line."""
    return bring(url, folder, max_megabytes, partial(_answer, url), progress)


@contextmanager
def _answer(url: str, received: int, validator: str) -> Iterator[Answer]:
    store, path = _open_store(url)
    with _in_words(url):
        info = store.info(path)
        if info["type"] != "file":
            raise LinkError(f"{url}: is a folder; give the address of one file")
        found = _stored(url, info)
        version = f"{found.size} {found.modified}"
        start = received if version == validator else 0
        file = store.open(path, "rb", block_size=PIECE, cache_type="none")
        file.seek(start)
    with file:
        yield Answer(
            read=partial(_read, url, file),
            start=start,
            total=found.size,
            validator=version,
            suffix=PurePosixPath(path).suffix.lower(),
        )


def _read(url: str, file: Any) -> bytes:
    with _in_words(url):
        return file.read(PIECE)


def _open_store(url: str) -> tuple[Any, str]:
    """The file system of fsspec, which keeps no lists that could be out of date, and the path in it."""
    scheme, _, path = url.partition("://")
    bucket = path.partition("/")[0]
    if not bucket or "@" in bucket:
        raise LinkError(
            f"{scheme}: an address names bucket and file, such as {scheme}://bucket/video.mp4, and nobody's "
            "password, which would be in reports"
        )
    package = STORES[scheme]
    try:
        import fsspec

        return fsspec.filesystem(scheme, use_listings_cache=False), path.rstrip("/")
    except ImportError as error:
        raise LinkError(f"{url}: needs fsspec and {package}; {install('remote')} {package}") from error


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """What a store's package raises becomes a LinkError, or a BreakError where another try may mend it."""
    try:
        yield
    except LinkError:
        raise
    except FileNotFoundError as error:
        raise LinkError(f"{url}: is not there; check the address") from error
    except PermissionError as error:
        raise LinkError(f"{url}: may not be read ({_words_of(error)}); check the credentials") from error
    except Exception as error:  # Every store's package has errors of its own.
        raise BreakError(_words_of(error)) from error


def _words_of(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _stored(url: str, info: dict[str, Any]) -> StoredObject:
    """S3 tells the time as ``LastModified``, Google as ``mtime``; in lists more exactly than of one file."""
    modified = info.get("LastModified") or info["mtime"]
    return StoredObject(url, info["size"], int(modified.timestamp()) * 1_000_000_000)
