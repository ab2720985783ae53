"""A reader that tells how many frames have been read."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from deepfake_ssat.progress import Advance
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.reader import VideoReader

TELL_EVERY = 25
"""Frames."""


class WatchedReader:
    """Another reader's frames, counted as they pass; those of a second reading, turned, are not."""

    def __init__(self, reader: VideoReader, advance: Advance) -> None:
        self.metadata = reader.metadata
        self.warnings = reader.warnings
        self._reader = reader
        self._advance = advance
        self._highest = -1

    def __iter__(self) -> Iterator[VideoFrame]:
        waiting = 0
        for frame in self._reader:
            if frame.index > self._highest:
                waiting += frame.index - self._highest
                self._highest = frame.index
            if waiting >= TELL_EVERY:
                self._advance(waiting)
                waiting = 0
            yield frame
        self._advance(waiting)

    def turn(self, degrees: int) -> None:
        """As the other reader does; it then describes the turned picture."""
        self._reader.turn(degrees)
        self.metadata = self._reader.metadata

    def close(self) -> None:
        """Closes the other reader."""
        self._reader.close()

    def __enter__(self) -> WatchedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
