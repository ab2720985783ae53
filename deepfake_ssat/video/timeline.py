"""One clock for sound and picture, as a player shows it: 0 at the start, and never running back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from deepfake_ssat.video.survey import Run, StreamSurvey

MICROSECONDS = 1_000_000
BESIDE_JOIN = range(-2, 1)
"""Packets, from the first new one, that FFmpeg takes for damaged where transport streams were joined."""


@dataclass(frozen=True)
class Timeline:
    """When the packets of a file are shown.

    Where time stamps start again, later ones are shifted so that each recording follows on the one before.
    """

    start: Fraction
    """What the file's time stamps call the start, in seconds."""
    shifts: Mapping[int, Sequence[tuple[int, float]]] = field(default_factory=dict)
    """Of each stream, by its index: (number of a packet, by how many seconds it and later ones move)."""

    def of(self, stream: Stream) -> StreamClock:
        """The clock of one stream, to be used on all its packets in file order."""
        tick = stream.time_base or Fraction(1)
        return StreamClock(tick, -round(self.start / tick), self.shifts.get(stream.index, ()))


class StreamClock:
    """Puts the packets of one stream in their places on the file's clock."""

    def __init__(self, tick: Fraction, offset: int, shifts: Sequence[tuple[int, float]]) -> None:
        self._tick_seconds = float(tick)
        self._offset = offset
        self._later = [(number, offset + round(seconds / tick)) for number, seconds in shifts]
        self._joins = {number + k for number, _ in shifts[1:] for k in BESIDE_JOIN}
        self._spliced: set[int | None] = set()
        self._num_packets = 0

    def place(self, packet: Packet) -> None:
        """Moves the time stamps of the next packet, and so those of the frames that are decoded from it."""
        while self._later and self._later[0][0] <= self._num_packets:
            self._offset = self._later.pop(0)[1]
        if packet.pts is not None:
            packet.pts += self._offset
        if packet.dts is not None:
            packet.dts += self._offset
        if self._num_packets in self._joins:
            self._spliced.add(packet.pts)
        self._num_packets += 1

    def is_spliced(self, stamp: int | None) -> bool:
        """Whether a placed packet, or its frame, lies where recordings were joined: it only seems damaged."""
        return stamp in self._spliced

    def seconds(self, stamp: int) -> float:
        """Of a time stamp of a packet that was placed, or of its frame."""
        return stamp * self._tick_seconds


def make_timeline(container: InputContainer, streams: Mapping[int, StreamSurvey], picture: int) -> Timeline:
    """The timeline of a file whose picture track ``picture`` says where recordings were joined."""
    start = container.start_time
    if start is None:
        stream = container.streams[picture]
        seconds = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    else:
        seconds = Fraction(start, MICROSECONDS)
    joins = streams[picture].runs[1:]
    if not joins:
        return Timeline(seconds)
    parts = {index: _parts(stream.runs, joins) for index, stream in streams.items()}
    extents = [_extent(streams, parts, number) for number in range(len(joins) + 1)]
    moves = [0.0]
    for before, after in pairwise(extents):
        moves.append(before[1] + moves[-1] - after[0])
    shifts = {
        index: [(run.first_packet, moves[part]) for run, part in zip(stream.runs, parts[index], strict=True)]
        for index, stream in streams.items()
    }
    return Timeline(seconds, shifts)


def _parts(runs: Sequence[Run], joins: Sequence[Run]) -> list[int]:
    """To which of the joined recordings each run of a stream belongs.

    A run begins where its stream jumps: near the join that is meant, before or after it in the file.
    """
    parts: list[int] = []
    for run in runs:
        if not parts:
            parts.append(sum(join.position <= run.position for join in joins))
            continue
        later = range(parts[-1] + 1, len(joins) + 1)
        parts.append(
            min(later, key=lambda part: abs(joins[part - 1].position - run.position), default=parts[-1])
        )
    return parts


def _extent(
    streams: Mapping[int, StreamSurvey], parts: Mapping[int, Sequence[int]], number: int
) -> tuple[float, float]:
    """From when to when one of the joined recordings lasts, by its own time stamps."""
    runs = [
        run
        for index, stream in streams.items()
        for run, part in zip(stream.runs, parts[index], strict=True)
        if part == number
    ]
    return min(run.start for run in runs), max(run.end for run in runs)
