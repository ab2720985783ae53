"""Brings a file from elsewhere: limited in size, and taken up again where it broke off."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deepfake_ssat.errors import LinkError
from deepfake_ssat.outputs import writing
from deepfake_ssat.progress import NOT_KNOWN, Advance, Progress, silent

MEGABYTE = 1_000_000
MAX_MEGABYTES = 1000.0
ATTEMPTS = 5
PAUSE_SECONDS = 1.0
"""Before a broken transfer is taken up again."""


class BreakError(Exception):
    """The connection failed, in words; the transfer goes on where it stopped."""


@dataclass(frozen=True)
class Answer:
    """What the other side gives of a file: the whole, or the rest of it."""

    read: Callable[[], bytes]
    """The next piece, empty at the end; raises BreakError."""
    start: int
    """Where in the file it begins."""
    total: int
    """Bytes of the whole file; 0 where the other side does not say."""
    validator: str
    """What tells whether the file is still the same; empty: nothing does."""
    suffix: str
    """That the file should have."""


OpenAnswer = Callable[[int, str], AbstractContextManager[Answer]]
"""Of the bytes that have come and the validator they came with: the rest where it is sure to be of the same
file, else the whole. Raises BreakError, or LinkError for what trying again does not mend."""


def bring(
    url: str, folder: Path, max_megabytes: float, open_answer: OpenAnswer, progress: Progress = silent
) -> Path:
    """The file of an address, in ``folder``, named after its kind.

    A break is waited out and the rest asked for; where the file may have changed meanwhile, all of it again.
    Raises LinkError, one line, for what cannot be had or is larger.
    """
    unfinished = _Transfer(url, folder / "unfinished", max_megabytes, open_answer)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            suffix = unfinished.go_on(progress)
        except BreakError as error:
            if not unfinished.received:
                raise LinkError(f"{url}: cannot be reached ({error}); check address and network") from error
            if attempt == ATTEMPTS:
                raise LinkError(f"{url}: broke off {ATTEMPTS} times ({error}); try again later") from error
            time.sleep(PAUSE_SECONDS)
        else:
            break
    return unfinished.file.rename(folder / f"video{suffix}")


@dataclass
class _Transfer:
    """A file that may have come in part."""

    url: str
    file: Path
    max_megabytes: float
    open_answer: OpenAnswer
    received: int = 0
    """Bytes."""
    validator: str = ""

    def go_on(self, progress: Progress) -> str:
        """The rest, or all of it; the suffix that the file should have."""
        with self.open_answer(self.received, self.validator) as answer:
            self.received, total, self.validator = answer.start, answer.total, answer.validator
            self._check_size(total)
            with (
                writing(self.file),
                self.file.open("r+b" if self.received else "wb") as file,
                progress("downloading", "megabyte", round(total / MEGABYTE) or NOT_KNOWN) as advance,
            ):
                file.seek(self.received)
                file.truncate()
                self._pour(answer, file, advance)
        if total and self.received < total:
            raise BreakError(f"ended after {self.received} of {total} bytes")
        if not self.received:
            raise LinkError(f"{self.url}: gives an empty file; check the address")
        return answer.suffix

    def _pour(self, answer: Answer, file: IO[bytes], advance: Advance) -> None:
        advance(self.received // MEGABYTE)
        while piece := answer.read():
            file.write(piece)
            before, self.received = self.received, self.received + len(piece)
            advance(self.received // MEGABYTE - before // MEGABYTE)
            self._check_size(self.received)

    def _check_size(self, size: int) -> None:
        if size > self.max_megabytes * MEGABYTE:
            raise LinkError(
                f"{self.url}: is larger than {self.max_megabytes:g} MB; allow more with --max-download, or "
                "give a file"
            )
