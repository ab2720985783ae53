"""Reads the videos that users bring with PyAV, as a player shows them: errors caught, memory bounded.

Frame threads are fast, but swallow decodable frames beside a damaged packet, and how many depends on the
number of cores. So at the first sign of damage the file is decoded again from its start without them, and
what was handed out already is passed over: the frames of a damaged file are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video.container import open_container
from deepfake_ssat.video.conversion import FrameConverter
from deepfake_ssat.video.damage import DamageLog, DisplayOrder
from deepfake_ssat.video.decoding import decode
from deepfake_ssat.video.deinterlacing import DecodedFrame, deinterlaced
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.header import read_header
from deepfake_ssat.video.layout import Layout, fitted
from deepfake_ssat.video.orientation import Orientation, orientation_from_matrix
from deepfake_ssat.video.tone_mapping import HDR_NAMES


class PyavReader:
    """A ``VideoReader`` on PyAV."""

    def __init__(self, path: Path, turn: int = 0) -> None:
        """Look through ``path``, a regular file, and decode its first frame; raises VideoError."""
        self._path = path
        self._turn = turn
        self._converter = FrameConverter()
        self._header = read_header(path)
        self._container, self._stream = self._open()
        self.warnings: list[str] = []
        self._begin()

    def turn(self, degrees: int) -> None:
        """Begin again at the first frame, every picture turned clockwise by so many more degrees."""
        self._turn = (self._turn + degrees) % 360
        self._reopen()
        self._begin()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames once, in display order."""
        if self._started:
            raise RuntimeError(f"{self._path}: frames can be read once; open the video again")
        self._started = True
        while self._pending:
            yield self._pending.pop()
        yield from self._frames

    def close(self) -> None:
        """Let go of the file; frames that are held stay valid."""
        self._container.close()

    def __enter__(self) -> PyavReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container = open_container(self._path)
        return container, container.streams[self._header.track]  # pyright: ignore[reportReturnType]

    def _reopen(self) -> None:
        self._container.close()
        self._container, self._stream = self._open()

    def _begin(self) -> None:
        """Decode the first frame of a container that was just opened."""
        self.warnings[:] = self._header.warnings
        self._noted: set[str] = set()
        self._first: Layout | None = None
        self._started = False
        self._frames = self._read_frames()
        try:
            first = next(self._frames, None)
            if first is None or self._first is None:
                raise VideoError(
                    f"{self._path}: not one frame can be decoded; the file is damaged, copy it again"
                )
        except BaseException:
            self.close()
            raise
        self._pending = [first]
        self.metadata = replace(
            self._header.metadata,
            width=first.width,
            height=first.height,
            rotation=self._first.orientation.degrees,
            untagged_turn=self._turn,
        )

    def _read_frames(self) -> Iterator[VideoFrame]:
        """All frames as they are shown; what was done to them becomes a warning."""
        for frame in deinterlaced(self._decoded()):
            yield self._video_frame(frame)

    def _decoded(self) -> Iterator[DecodedFrame]:
        """All frames; a file that turns out damaged is decoded again, without frame threads."""
        next_index, last_seconds = 0, 0.0
        for threads in ("AUTO", "SLICE"):
            if threads == "SLICE":
                self._reopen()
            clock, log, order = self._header.timeline.of(self._stream), DamageLog(), DisplayOrder()
            for picture in decode(self._container, self._stream, threads, clock, log, order):
                index = order.number(picture.pts, damaged=log.seen)
                if index is None or index < next_index:
                    continue
                next_index = index + 1
                pts = picture.pts
                seconds = index / self._header.metadata.fps if pts is None else clock.seconds(pts)
                last_seconds = max(last_seconds, seconds)
                yield DecodedFrame(picture, index, last_seconds, picture.interlaced_frame)
            log.lost_frames = order.num_lost
            if not log.seen and not order.num_waiting:
                break
        summary = log.summary(self._header.cut)
        if summary is not None:
            self.warnings.append(summary)

    def _video_frame(self, frame: DecodedFrame) -> VideoFrame:
        layout = self._layout_of(frame.picture)
        if self._first is None:
            self._first = layout
        own_size = None if layout.size == self._first.size else layout.size
        self._note(frame, own_size)
        convert = partial(self._convert, frame.picture, layout)
        return VideoFrame(frame.index, frame.seconds, *self._first.size, convert, own_size)

    def _layout_of(self, picture: av.VideoFrame) -> Layout:
        """All pictures are turned as the first one; each has its own size and shape of pixels."""
        if self._first is None:
            matrix = picture.side_data.get("DISPLAYMATRIX")
            tagged = orientation_from_matrix(bytes(matrix)) if matrix else Orientation()
            orientation = tagged.turned(self._turn)
        else:
            orientation = self._first.orientation
        pixel_aspect = self._header.pixel_aspect or self._stream.codec_context.sample_aspect_ratio
        return Layout(picture.width, picture.height, pixel_aspect or Fraction(1), orientation)

    def _convert(self, picture: av.VideoFrame, layout: Layout, width: int, height: int) -> np.ndarray:
        """A decoded picture -> (height, width, 3) uint8, which the whole video's picture is to fill."""

        def draw(width: int, height: int) -> np.ndarray:
            stored_size = layout.orientation.size(width, height)
            return layout.orientation.apply(self._converter.rgb(picture, *stored_size))

        return fitted(layout.size, (width, height), draw)

    def _note(self, frame: DecodedFrame, own_size: tuple[int, int] | None) -> None:
        """Says once each where pictures are not shown as they are stored."""
        if frame.interlaced:
            self._warn_once("interlaced video: it was deinterlaced")
        if frame.picture.color_trc in HDR_NAMES:
            name = HDR_NAMES[frame.picture.color_trc]
            self._warn_once(f"HDR video ({name}): it was tone-mapped to Rec. 709")
        if own_size is not None:
            self._warn_once(
                "the picture changes its size on the way: all sizes and boxes are as at the start"
            )

    def _warn_once(self, warning: str) -> None:
        if warning not in self._noted:
            self._noted.add(warning)
            self.warnings.append(warning)
