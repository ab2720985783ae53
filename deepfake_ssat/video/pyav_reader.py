"""Reads the videos that users bring with PyAV: rotation applied, errors caught, memory bounded.

Frame threads are fast, but swallow decodable frames beside a damaged packet, and how many depends on the
number of cores. So at the first sign of damage the file is decoded again from its start without them, and
what was handed out already is passed over: the frames of a damaged file are the same on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, overload

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.damage import DamageLog, DisplayOrder
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.orientation import Orientation, orientation_from_matrix

MAX_PIXELS = 64_000_000
"""Larger frames are refused: 8K has 33 million, and a forged header must not fill the memory."""
MAX_FAILURES_IN_A_ROW = 2000
"""Packets without one frame after which a damaged file is given up."""
MAX_THREADS = 8
"""Each thread holds frames of its own."""
FALLBACK_FPS = 25.0
_NOT_VIDEO_FORMATS = {"tty", "hls", "dash", "concat", "concatf", "image2"}  # Text, and lists of files.
_LIMITS = {"max_pixels": str(MAX_PIXELS), "protocol_whitelist": "file"}


@dataclass(frozen=True)
class Clock:
    """Turns a stream's time stamps into seconds from its start."""

    tick_seconds: float
    start: int

    @classmethod
    def of(cls, stream: VideoStream) -> Clock:
        """The clock of a stream."""
        return cls(float(stream.time_base or 0), stream.start_time or 0)

    @overload
    def seconds(self, pts: int) -> float: ...
    @overload
    def seconds(self, pts: None) -> None: ...
    def seconds(self, pts: int | None) -> float | None:
        """Seconds of a presentation time stamp; None stays None."""
        return None if pts is None else (pts - self.start) * self.tick_seconds


class PyavReader:
    """A ``VideoReader`` on PyAV."""

    def __init__(self, path: Path) -> None:
        """Open ``path``, a regular file, and decode its first frame; raises VideoError."""
        self.warnings: list[str] = []
        self._path = path
        self._container, self._stream = _open(path)
        self._announced_seconds = _announced_seconds(self._container, self._stream)
        self._orientation: Orientation | None = None
        self._reformatters: dict[tuple[int, int], VideoReformatter] = {}
        self._started = False
        try:
            self.metadata = _metadata(self._stream, self._announced_seconds)
            self._frames = self._read_frames()
            first = next(self._frames, None)
            if first is None:
                raise VideoError(f"{path}: not one frame can be decoded; the file is damaged, copy it again")
        except BaseException:
            self.close()
            raise
        self._pending = [first]
        self.metadata = _metadata(self._stream, self._announced_seconds, first, self._orientation)

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

    def _read_frames(self) -> Iterator[VideoFrame]:
        """All frames; a file that turns out damaged is decoded again, without frame threads."""
        next_index, last_seconds = 0, 0.0
        for threads in ("AUTO", "SLICE"):
            if threads == "SLICE":
                self._container.close()
                self._container, self._stream = _open(self._path)
            clock, log, order = Clock.of(self._stream), DamageLog(), DisplayOrder()
            for frame in _decode(self._container, self._stream, threads, clock, log, order):
                index = order.number(frame.pts, damaged=log.seen)
                if index is None or index < next_index:
                    continue
                next_index = index + 1
                seconds = clock.seconds(frame.pts)
                last_seconds = max(last_seconds, index / self.metadata.fps if seconds is None else seconds)
                yield self._video_frame(frame, index, last_seconds)
            log.lost_frames = order.num_lost
            if not log.seen and not order.num_waiting:
                break
        summary = log.summary(self._announced_seconds)
        if summary is not None:
            self.warnings.append(summary)

    def _video_frame(self, frame: av.VideoFrame, index: int, seconds: float) -> VideoFrame:
        if self._orientation is None:
            matrix = frame.side_data.get("DISPLAYMATRIX")
            self._orientation = orientation_from_matrix(bytes(matrix)) if matrix else Orientation()
        width, height = self._orientation.size(frame.width, frame.height)
        return VideoFrame(index, seconds, width, height, partial(self._convert, frame))

    def _convert(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        """A decoded frame -> (height, width, 3) uint8: shrunk and converted in one go, then turned."""
        orientation = self._orientation or Orientation()
        decoded_size = orientation.size(width, height)
        reformatter = self._reformatters.get(decoded_size)
        if reformatter is None:
            if len(self._reformatters) >= 4:
                self._reformatters.clear()
            reformatter = self._reformatters[decoded_size] = VideoReformatter()
        picture = reformatter.reformat(
            frame,
            *decoded_size,
            format="rgb24",
            interpolation=Interpolation.AREA,
            src_colorspace=frame.colorspace,
            src_color_range=frame.color_range,
            dst_colorspace=Colorspace.ITU601,  # No matter to RGB; PyAV 16 ignores the source's without.
        )
        return orientation.apply(picture.to_ndarray())


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    """The container and its first true picture track; raises VideoError."""
    try:
        container = av.open(str(path), options=_LIMITS, metadata_errors="replace")
    except FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(
            f"{path} cannot be opened as a video: {reason}; give a complete video file"
        ) from None
    try:
        if _NOT_VIDEO_FORMATS & set(container.format.name.split(",")):
            raise VideoError(f"{path} is text or a playlist ({container.format.name}); give a video file")
        return container, _picture_track(path, container)
    except BaseException:
        container.close()
        raise


def _picture_track(path: Path, container: InputContainer) -> VideoStream:
    """The first video stream that is not a cover picture."""
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        raise VideoError(f"{path} has no picture track; give a video, not only sound")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(f"{path}: this build of FFmpeg has no decoder for its video; convert it to H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{path} has frames of {width}x{height}, at most {MAX_PIXELS:,} pixels are read; scale it down"
        )
    return stream


def _decode(
    container: InputContainer,
    stream: VideoStream,
    threads: Literal["AUTO", "SLICE"],
    clock: Clock,
    log: DamageLog,
    order: DisplayOrder,
) -> Iterator[av.VideoFrame]:
    """Frames as they are decoded; with frame threads (AUTO) only up to the first damage."""
    stream.codec_context.thread_count = min(os.cpu_count() or 1, MAX_THREADS)
    stream.thread_type = threads
    failures_in_a_row = 0
    packets = container.demux(stream)
    while True:
        packet = None
        try:
            packet = next(packets, None)
            if packet is None:
                return
            _note_packet(packet, clock, log, order)
            frames = packet.decode()
        except EOFError:
            return
        except IndexError:
            # So PyAV meets packets of a track that a transport stream adds midway; ours are not among them.
            packets = container.demux(stream)
            continue
        except FFmpegError:
            frames = []
            log.packet_failed(None if packet is None else clock.seconds(packet.pts))
            packets = container.demux(stream) if packet is None else packets
        for frame in frames:
            if frame.is_corrupt:
                log.frame_flawed(clock.seconds(frame.pts))
        if threads == "AUTO" and log.seen:
            return
        failures_in_a_row = 0 if frames else failures_in_a_row + 1
        if failures_in_a_row > MAX_FAILURES_IN_A_ROW:
            log.gave_up = True
            return
        while frames:
            yield frames.pop(0)


def _note_packet(packet: Packet, clock: Clock, log: DamageLog, order: DisplayOrder) -> None:
    """Note which frame a packet announces and where it ends; the packet that flushes the decoder is empty."""
    if packet.size == 0:
        return
    if packet.is_corrupt:
        log.packet_failed(clock.seconds(packet.pts))
    if packet.pts is not None and not packet.is_discard:
        order.announce(packet.pts)
    start = packet.pts if packet.pts is not None else packet.dts
    if start is not None:
        log.end_seconds = max(log.end_seconds, clock.seconds(start + (packet.duration or 0)))


def _announced_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says that the pictures last."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")  # Matroska's statistics, such as 00:00:10.040000000
    parts = tag.split(":")
    if len(parts) == 3 and all(part.replace(".", "", 1).isdigit() for part in parts):
        return int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _metadata(
    stream: VideoStream,
    duration_seconds: float | None,
    first: VideoFrame | None = None,
    orientation: Orientation | None = None,
) -> VideoMetadata:
    """What the header says, and the first decoded frame knows better."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    fps = float(rate) if rate else FALLBACK_FPS
    num_frames = stream.frames or (round(duration_seconds * fps) if duration_seconds else None)
    context = stream.codec_context
    return VideoMetadata(
        fps=fps,
        num_frames=num_frames,
        width=first.width if first else context.width,
        height=first.height if first else context.height,
        rotation=orientation.degrees if orientation else 0,
        codec=context.codec.canonical_name,
        duration_seconds=duration_seconds,
    )
