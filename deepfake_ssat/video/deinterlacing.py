"""Makes whole pictures of interlaced frames, whose two fields were taken at different times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from av.error import BlockingIOError as NotYet
from av.error import EOFError as NoMore
from av.filter import Graph


class DecodedFrame(NamedTuple):
    """A frame as it was decoded, and where it belongs."""

    picture: av.VideoFrame
    index: int
    """In display order."""
    seconds: float
    interlaced: bool
    """As it was stored."""


def deinterlaced(frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
    """The same frames; from the first that is flagged as interlaced on through FFmpeg's yadif, as in players.

    It makes one picture of each flagged frame and leaves others as they are.
    """
    deinterlacer: _Deinterlacer | None = None
    for frame in frames:
        if deinterlacer is not None and not deinterlacer.takes(frame.picture):
            yield from deinterlacer.end()
            deinterlacer = None
        if deinterlacer is None and frame.interlaced:
            deinterlacer = _Deinterlacer(frame.picture)
        if deinterlacer is None:
            yield frame
        else:
            yield from deinterlacer.push(frame)
    if deinterlacer is not None:
        yield from deinterlacer.end()


class _Deinterlacer:
    """A filter graph for frames of one size and pixel format; it looks one frame ahead."""

    def __init__(self, first: av.VideoFrame) -> None:
        self._kind = _kind(first)
        self._waiting: deque[tuple[int, float, bool]] = deque()
        self._graph = Graph()
        time_base = first.time_base or Fraction(1, 1000)
        source = self._graph.add(
            "buffer",
            f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:time_base={time_base}"
            f":colorspace={first.colorspace}:range={first.color_range}",
        )
        yadif = self._graph.add("yadif", "mode=send_frame:deint=interlaced")
        self._graph.link_nodes(source, yadif, self._graph.add("buffersink")).configure()

    def takes(self, picture: av.VideoFrame) -> bool:
        """Whether the picture is of the graph's kind."""
        return _kind(picture) == self._kind

    def push(self, frame: DecodedFrame) -> Iterator[DecodedFrame]:
        """One more frame in, those that are ready out."""
        self._waiting.append((frame.index, frame.seconds, frame.interlaced))
        self._graph.vpush(frame.picture)
        yield from self._ready()

    def end(self) -> Iterator[DecodedFrame]:
        """The frames that are still inside."""
        self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[DecodedFrame]:
        while self._waiting:
            try:
                picture = self._graph.vpull()
            except (NotYet, NoMore):
                return
            yield DecodedFrame(picture, *self._waiting.popleft())


def _kind(picture: av.VideoFrame) -> tuple[int, int, str, int, int]:
    return picture.width, picture.height, picture.format.name, picture.colorspace, picture.color_range
