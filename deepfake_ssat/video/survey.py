"""Looks through all packets of a file, decoding none: what it holds and when, whatever its header says.

Headers are wrong for cut, joined, growing and fragmented files; packets are what a player shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Stream

from deepfake_ssat.video import container as limits
from deepfake_ssat.video.container import read_packets

BACKWARD_SECONDS = 0.1
"""Decoding times never run back in one recording; FFmpeg's own tolerance."""
FORWARD_SECONDS = 10.0
"""A longer gap between packets of a format that can be joined is another clock; FFmpeg's own threshold."""
DEFAULT_FRAME_SECONDS = 0.04


@dataclass
class Run:
    """Packets of one stream whose time stamps go on growing; times are in seconds, as stamped."""

    first_packet: int
    """Its number in the stream."""
    position: int
    """The same among the packets of all streams: where in the file the run begins."""
    start: float
    end: float


@dataclass
class StreamSurvey:
    """The packets of one stream."""

    index: int
    num_frames: int = 0
    """Packets that are shown: an edit list can hide some."""
    runs: list[Run] = field(default_factory=list)
    """More than one where time stamps start again: recordings that were joined."""


def survey(container: InputContainer) -> dict[int, StreamSurvey]:
    """What each picture and sound track holds, by stream index."""
    streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
    joinable = bool(container.format.flags & Flags.ts_discont.value)
    logs = {stream.index: _StreamLog(stream, joinable) for stream in streams}
    unreadable = 0
    for position, packet in enumerate(read_packets(container, streams)):
        unreadable = unreadable + 1 if packet is None else 0
        if unreadable > limits.MAX_FAILURES_IN_A_ROW:
            break
        if packet is not None and packet.size:
            logs[packet.stream_index].add(packet, position)
    return {index: log.result for index, log in logs.items()}


@dataclass(frozen=True)
class _Stamp:
    """When one packet is to be decoded, and shown from when to when; in seconds."""

    number: int
    position: int
    decoded: float | None
    start: float | None
    end: float


class _StreamLog:
    """Follows the time stamps of one stream."""

    def __init__(self, stream: Stream, joinable: bool) -> None:
        self.result = StreamSurvey(stream.index)
        self._tick_seconds = float(stream.time_base or 0)
        self._longest_gap = FORWARD_SECONDS if joinable else float("inf")
        rate = stream.average_rate if stream.type == "video" else None
        self._usual_seconds = 1 / float(rate) if rate else DEFAULT_FRAME_SECONDS
        self._num_packets = 0
        self._last: float | None = None
        self._suspect: _Stamp | None = None
        """A packet whose time jumps: the next one tells whether it begins a run or is damaged."""

    def add(self, packet: Packet, position: int) -> None:
        stamp = self._stamp(packet, position)
        self._num_packets += 1
        if not packet.is_discard:
            self.result.num_frames += 1
        if not self._jumps(self._last, stamp.decoded):
            self._suspect = None
            self._extend(stamp)
        elif self._suspect is None or self._jumps(self._suspect.decoded, stamp.decoded):
            self._suspect = stamp
        else:
            self._begin_run(self._suspect)
            self._suspect = None
            self._extend(stamp)

    def _stamp(self, packet: Packet, position: int) -> _Stamp:
        tick = self._tick_seconds
        decoded = None if packet.dts is None else packet.dts * tick
        shown = packet.dts if packet.pts is None else packet.pts
        start = None if shown is None or packet.is_discard else shown * tick
        lasts = packet.duration * tick if packet.duration else self._usual_seconds
        return _Stamp(self._num_packets, position, decoded, start, (start or 0.0) + lasts)

    def _jumps(self, before: float | None, after: float | None) -> bool:
        if before is None or after is None:
            return False
        return after < before - BACKWARD_SECONDS or after > before + self._longest_gap

    def _begin_run(self, stamp: _Stamp) -> None:
        if stamp.start is not None:
            self.result.runs.append(Run(stamp.number, stamp.position, stamp.start, stamp.end))
        self._last = stamp.decoded

    def _extend(self, stamp: _Stamp) -> None:
        if stamp.decoded is not None:
            self._last = stamp.decoded
        if stamp.start is None:
            return
        if not self.result.runs:
            self._begin_run(stamp)
            return
        run = self.result.runs[-1]
        run.start, run.end = min(run.start, stamp.start), max(run.end, stamp.end)


def shown_seconds(stream: StreamSurvey) -> float:
    """How long the packets of a stream last, its runs one after the other."""
    return sum(run.end - run.start for run in stream.runs)
