"""Writes results: refused before the work where that must fail, whole or not at all, never over an input.

A link is followed to its file, and a device, a pipe or standard output is written to; none is replaced.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deepfake_ssat.errors import OutputError

PRINTED = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}
"""Names of standard output."""
LONGEST_NAME = 255
"""Bytes that file systems take."""
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""What the system says of a disk or quota that is full, a file that may not grow, a disk gone read-only."""
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP}
"""And of one, mostly of a network, where no run could keep another out."""


def cache_folder() -> Path:
    """Where the user's caches lie, those of this package in a folder of their own; raises OutputError."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def user_folder(variable: str, below_home: str) -> Path:
    """This package's folder where a variable says, else below the user's home.

    Raises OutputError for a user without one, as programs in containers often run.
    """
    base = os.environ.get(variable)
    try:
        return (Path(base) if base else Path.home() / below_home) / "deepfake-ssat"
    except RuntimeError as error:
        raise OutputError(f"this user has no home folder; set {variable} to a folder") from error


def is_printed(path: Path | None) -> bool:
    """Whether a path is standard output, which other words must then leave alone."""
    return path is not None and os.fspath(path) in PRINTED


def check_file(path: Path, inputs: Iterable[Path] = (), *, may_print: bool = False) -> None:
    """Refuses a file that could not be written after the work, or that is one of the inputs.

    Its folder must be there: a mistyped path must not become a folder. Raises OutputError.
    """
    if is_printed(path):
        if not may_print:
            raise OutputError(f"{path}: this is not printed; give a file to write to")
        if sys.stdout is None:
            raise OutputError(f"{path}: standard output is closed; give a file to write to")
        return
    _check_no_address(path)
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; give a file to write to")
    _check_no_input(path, inputs)
    folder = target_of(path).parent
    if not os.path.isdir(folder):
        raise OutputError(f"{path}: its folder {folder} does not exist; make it, or give another file")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise OutputError(f"{path} may not be written; give another file")


def check_different(outputs: Mapping[str, Path | None]) -> None:
    """Refuses options that would write one and the same file, however they call it; raises OutputError."""
    options: dict[Path | None, str] = {}
    for option, path in outputs.items():
        if path is None or (in_place(path) and not is_printed(path)):
            continue
        place = None if is_printed(path) else target_of(path)
        if place in options:
            both = f"{options[place]} and {option}"
            if place is None:
                raise OutputError(f"{both} cannot both print; write one of them to a file")
            raise OutputError(f"{both} both write {path}; give two files")
        options[place] = option


def make_folder(path: Path, inputs: Iterable[Path] = ()) -> None:
    """A folder to write into, made with those above it where it is not there; raises OutputError."""
    _check_no_address(path)
    if os.path.exists(path) and not os.path.isdir(path):
        raise OutputError(f"{path} is a file; give a folder to write into")
    _check_no_input(path, inputs)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made ({error.strerror}); give another folder") from error
    if not os.access(path, os.W_OK):
        raise OutputError(f"{path} may not be written; give another folder")


def write_file(path: Path, data: bytes) -> None:
    """Puts a whole file in place at once: after a crash there is the old one or the new one.

    Folders above it are made. Raises OutputError, and then leaves what was there.
    """
    with whole_file(path) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path of a new file to write; it takes its place when the block ends, and goes if that failed."""
    with writing(path):
        if is_printed(path) or in_place(path):
            with tempfile.TemporaryDirectory() as folder:
                unfinished = Path(folder, "output")
                yield unfinished
                _pour(unfinished, path)
            return
        target = target_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(_beside(target.name))
        try:
            yield unfinished
            _sync(unfinished)
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses within the block becomes an OutputError about this path."""
    try:
        yield
    except OSError as error:
        name = "standard output" if is_printed(path) else path
        reason = error.strerror or error
        raise OutputError(f"{name} cannot be written ({reason}); make room, or give another path") from error


def _check_no_address(path: Path) -> None:
    """``s3://bucket``, of which a path keeps one slash, would become a folder of that name."""
    address = ADDRESS.match(os.fspath(path))
    if address:
        raise OutputError(
            f"{address[1]}://{address[2]}: only files of this machine are written; mount the store "
            "(docs/scale.md) and give the path there"
        )


@contextmanager
def room_needed(path: Path | str) -> Iterator[None]:
    """A disk that is full, turns read-only or keeps no locks becomes an OutputError about this path.

    For blocks that read as well, or in which a library writes: what else the system refuses passes.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM | NO_LOCKS:
            raise
        reason = os.strerror(error.errno)
        if error.errno in NO_LOCKS:
            raise OutputError(
                f"{path}: its file system locks no files ({reason}); mount it with locks, or give another"
            ) from error
        raise OutputError(
            f"{path} cannot be written ({reason}); make room, and run the same command again"
        ) from error


def _check_no_input(path: Path, inputs: Iterable[Path]) -> None:
    """By the file itself, not by its name: links and other spellings are seen through."""
    for given in inputs:
        if os.path.exists(path) and os.path.exists(given) and os.path.samefile(path, given):
            raise OutputError(f"{path} is the input {given} itself; give another path to write to")


def target_of(path: Path) -> Path:
    """The file that a path leads to, through every link."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OutputError(f"{path} is a link that leads back to itself; give another path")
    return target


def in_place(path: Path) -> bool:
    """Whether a path leads to a device or a pipe, which no file may replace."""
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)


def _beside(name: str) -> str:
    """Of a file that is not finished, even where the finished one has the longest name there may be."""
    hidden = f".{name}.partial"
    if len(os.fsencode(hidden)) <= LONGEST_NAME:
        return hidden
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()}.partial"


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _pour(file: Path, path: Path) -> None:
    """Copies a finished file into a device, a pipe or standard output."""
    with file.open("rb") as source:
        if is_printed(path):
            sys.stdout.flush()
            shutil.copyfileobj(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
