"""Copies a video's sound into another file, packet by packet, on the clock that its pictures have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from deepfake_ssat.video.container import open_container, read_packets
from deepfake_ssat.video.header import read_header
from deepfake_ssat.video.timeline import StreamClock


class CopiedSound:
    """Sound that still has to be copied."""

    def __init__(
        self, packets: Iterator[tuple[float, Packet]], output: OutputContainer, warnings: Sequence[str] = ()
    ) -> None:
        self.warnings = warnings
        self._packets = packets
        self._output = output
        self._waiting: tuple[float, Packet] | None = None

    def copy_until(self, seconds: float) -> None:
        """Copies what is heard up to a time, so that sound and pictures alternate in the file."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting[0] > seconds:
                return
            self._output.mux(self._waiting[1])
            self._waiting = None


@contextmanager
def copied_sound(source: Path, output: OutputContainer) -> Iterator[CopiedSound]:
    """The first sound track of ``source``; an empty one where there is none, or ``output`` cannot hold it."""
    with open_container(source) as container:
        track = next((stream for stream in container.streams.audio if stream.codec_context is not None), None)
        if track is None:
            yield CopiedSound(iter(()), output)
            return
        codec = track.codec_context.codec.canonical_name
        if codec not in output.supported_codecs:
            warning = f"{output.format.long_name} cannot hold the sound ({codec}): the copy is silent"
            yield CopiedSound(iter(()), output, [warning])
            return
        target = output.add_stream_from_template(track)
        clock = read_header(source).timeline.of(track)
        yield CopiedSound(_placed(container, track, clock, target), output)


def _placed(
    container: InputContainer, track: AudioStream, clock: StreamClock, target: AudioStream
) -> Iterator[tuple[float, Packet]]:
    """Packets with a time, as far as they can be read: (seconds, packet of the new stream)."""
    last = None
    for packet in read_packets(container, [track]):
        if packet is None:
            return
        if not packet.size:
            continue
        clock.place(packet)
        if packet.dts is None or (last is not None and packet.dts <= last):
            continue
        last = packet.dts
        packet.stream = target
        yield clock.seconds(packet.dts), packet
