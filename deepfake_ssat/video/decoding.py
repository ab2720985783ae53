"""Decodes one picture track, packet by packet, and notes what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from deepfake_ssat.video import container as limits
from deepfake_ssat.video.container import read_packets
from deepfake_ssat.video.damage import DamageLog, DisplayOrder
from deepfake_ssat.video.timeline import StreamClock

MAX_THREADS = 8
"""Each thread holds frames of its own."""


def decode(
    container: InputContainer,
    stream: VideoStream,
    threads: Literal["AUTO", "SLICE"],
    clock: StreamClock,
    log: DamageLog,
    order: DisplayOrder,
) -> Iterator[av.VideoFrame]:
    """Frames as they are decoded; with frame threads (AUTO) only up to the first damage."""
    stream.codec_context.thread_count = min(os.cpu_count() or 1, MAX_THREADS)
    stream.thread_type = threads
    failures_in_a_row = 0
    for packet in read_packets(container, [stream]):
        frames = _frames_of(packet, clock, log, order)
        if threads == "AUTO" and log.seen:
            return
        failures_in_a_row = 0 if frames else failures_in_a_row + 1
        if failures_in_a_row > limits.MAX_FAILURES_IN_A_ROW:
            log.gave_up = True
            return
        while frames:
            yield frames.pop(0)


def _frames_of(
    packet: Packet | None, clock: StreamClock, log: DamageLog, order: DisplayOrder
) -> list[av.VideoFrame]:
    """The frames that come out when the packet goes in; the one that flushes the decoder is empty."""
    if packet is None:
        log.packet_failed(None)
        return []
    if packet.size:
        clock.place(packet)
        if packet.is_corrupt and not clock.is_spliced(packet.pts):
            log.packet_failed(_seconds(clock, packet.pts))
        if packet.pts is not None and not packet.is_discard:
            order.announce(packet.pts)
    try:
        frames = packet.decode()
    except EOFError:  # The decoder was flushed before.
        return []
    except FFmpegError:
        log.packet_failed(_seconds(clock, packet.pts))
        return []
    for frame in frames:
        if frame.is_corrupt and not clock.is_spliced(frame.pts):
            log.frame_flawed(_seconds(clock, frame.pts))
    return frames


def _seconds(clock: StreamClock, pts: int | None) -> float | None:
    return None if pts is None else clock.seconds(pts)
