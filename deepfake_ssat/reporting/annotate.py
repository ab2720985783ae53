"""Writes a copy of a video with face boxes, track numbers and scores drawn in, its sound kept as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from deepfake_ssat.errors import OutputError
from deepfake_ssat.explanation import FrameMark
from deepfake_ssat.outputs import whole_file
from deepfake_ssat.records import Verdict
from deepfake_ssat.video import open_video

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".avi": "avi",
    ".ts": "mpegts",
    "": "mp4",
}
"""The muxer of a marked copy, by the ending of its name."""
TIME_BASE = Fraction(1, 90_000)
QUALITY = {"crf": "18", "preset": "veryfast"}
COLOURS = {Verdict.FAKE: (213, 94, 0), Verdict.REAL: (0, 114, 178), Verdict.UNCERTAIN: (110, 110, 110)}


def check_container(target: Path) -> None:
    """Raises OutputError for a name whose ending is of no container that holds a marked copy."""
    if target.suffix.lower() not in CONTAINERS:
        endings = " ".join(filter(None, CONTAINERS))
        raise OutputError(f"{target}: a marked copy is one of {endings}; give a name that ends so")


def annotate_video(
    source: Path,
    target: Path,
    marks: Mapping[int, Sequence[FrameMark]],
    verdict_of: Callable[[float], Verdict],
    on_progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Writes ``target`` (whole or not at all) from ``source``; the reader's warnings are returned.

    Frames outside analysed clips are copied without marks. Sound is copied, not encoded again, where the
    target's container can hold it. ``on_progress`` is called with the number of frames written.
    """
    muxer = CONTAINERS[target.suffix.lower()]
    with (
        whole_file(target) as unfinished,
        open_video(source) as reader,
        av.open(str(unfinished), "w", format=muxer) as output,
    ):
        video = output.add_stream("libx264", rate=Fraction(reader.metadata.fps).limit_denominator(1001))
        video.width, video.height = (
            side - side % 2 for side in (reader.metadata.width, reader.metadata.height)
        )
        video.pix_fmt, video.options = "yuv420p", QUALITY
        video.codec_context.time_base = TIME_BASE
        with av.open(str(source)) as sound_source:
            sound, sound_packets = _copied_sound(sound_source, output)
            for number, frame in enumerate(reader):
                pixels = draw_marks(frame.rgb(), marks.get(frame.index, ()), verdict_of)
                picture = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(pixels[: video.height, : video.width]), format="rgb24"
                )
                picture.pts, picture.time_base = round(frame.seconds / TIME_BASE), TIME_BASE
                output.mux(video.encode(picture))
                if on_progress:
                    on_progress(number + 1)
            output.mux(video.encode(None))
            for packet in sound_packets:
                packet.stream = sound
                output.mux(packet)
        return list(reader.warnings)


def draw_marks(
    pixels: np.ndarray, marks: Sequence[FrameMark], verdict_of: Callable[[float], Verdict]
) -> np.ndarray:
    """(H, W, 3) uint8 -> a copy with a box and "face 0: 0.93" for each mark, readable on any background."""
    drawn = np.ascontiguousarray(pixels).copy()
    scale = max(drawn.shape[:2]) / 1280
    thickness = max(2, round(3 * scale))
    for mark in marks:
        colour = COLOURS[verdict_of(mark.probability)]
        left, top, right, bottom = (round(side) for side in mark.box)
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, thickness)
        text = f"face {mark.track_id}: {mark.probability:.2f}"
        font, size = cv2.FONT_HERSHEY_SIMPLEX, max(0.5, 0.9 * scale)
        (width, height), _ = cv2.getTextSize(text, font, size, thickness)
        baseline = max(top - thickness - 2, height + 4)
        left = min(max(left, 0), max(drawn.shape[1] - width - 6, 0))
        cv2.rectangle(drawn, (left, baseline - height - 6), (left + width + 6, baseline + 4), colour, -1)
        cv2.putText(
            drawn,
            text,
            (left + 3, baseline - 1),
            font,
            size,
            (255, 255, 255),
            max(1, thickness // 2),
            cv2.LINE_AA,
        )
    return drawn


def _copied_sound(
    source: InputContainer, output: OutputContainer
) -> tuple[AudioStream | None, Iterator[Packet]]:
    """A stream like the source's first sound track, and its packets; nothing where it cannot be copied."""
    if not source.streams.audio or source.streams.audio[0].codec_context is None:
        return None, iter(())
    try:
        stream = output.add_stream_from_template(source.streams.audio[0])
    except (FFmpegError, ValueError):
        return None, iter(())
    return stream, _readable_packets(source, source.streams.audio[0])


def _readable_packets(source: InputContainer, stream: AudioStream) -> Iterator[Packet]:
    """Packets with a time, up to the first that is damaged."""
    try:
        for packet in source.demux(stream):
            if packet.dts is not None:
                yield packet
    except FFmpegError:
        return
