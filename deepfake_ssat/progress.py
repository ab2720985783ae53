"""How long work tells of its progress: a callback that the caller may give, silence otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

NOT_KNOWN = 0
"""The total of what nobody has counted."""


class Advance(Protocol):
    """Told of finished items, and of a note to show beside them such as ``3 dropped``."""

    def __call__(self, count: int = 1, note: str = "") -> None:
        """So many more items are done."""
        ...


class Progress(Protocol):
    """Begins one stretch of work; what it gives is entered, and then told of every finished item."""

    def __call__(self, doing: str, unit: str, total: int) -> AbstractContextManager[Advance]:
        """``doing`` names the work, ``unit`` one of its ``total`` items (or ``NOT_KNOWN``)."""
        ...


@contextmanager
def silent(doing: str, unit: str, total: int) -> Iterator[Advance]:
    """The progress that nobody watches."""

    def advance(count: int = 1, note: str = "") -> None: ...

    yield advance
