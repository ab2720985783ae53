"""Writes a copy of a video with face boxes, track numbers and scores drawn in, its sound kept as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError

from deepfake_ssat.errors import OutputError
from deepfake_ssat.explanation import FrameMark
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.sound import copied_sound
from deepfake_ssat.video import VideoReader, open_video

TIME_BASE = Fraction(1, 90_000)
QUALITY = {"crf": "18", "preset": "veryfast"}
COLOURS = {Verdict.FAKE: (213, 94, 0), Verdict.REAL: (0, 114, 178), Verdict.UNCERTAIN: (110, 110, 110)}


def annotate_video(
    source: Path,
    target: Path,
    marks: Mapping[int, Sequence[FrameMark]],
    verdict_of: Callable[[float], Verdict],
    on_progress: Callable[[int], None] | None = None,
    turn: int = 0,
) -> list[str]:
    """Writes ``target`` (whole or not at all) from ``source``; the reader's warnings are returned.

    Frames outside analysed clips are copied without marks. Sound is copied, not encoded again, where the
    target's container can hold it, and stays in step with the pictures. ``turn`` is the clockwise turn that
    the marks were found under. ``on_progress`` is called with the number of frames written. Raises
    OutputError where the target cannot be written.
    """
    unfinished = target.with_name(f"{target.stem}.part{target.suffix or '.mp4'}")
    try:
        with open_video(source, turn) as reader:
            try:
                _write(source, unfinished, _marked(reader, marks, verdict_of, on_progress), reader)
                os.replace(unfinished, target)
            except (OSError, FFmpegError) as error:
                raise OutputError(
                    f"{target} cannot be written ({error.strerror}); give another file, on a disk with space"
                ) from error
            return list(reader.warnings)
    finally:
        unfinished.unlink(missing_ok=True)


def _marked(
    reader: VideoReader,
    marks: Mapping[int, Sequence[FrameMark]],
    verdict_of: Callable[[float], Verdict],
    on_progress: Callable[[int], None] | None,
) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds, (H, W, 3) uint8) of every frame, all of one size."""
    for number, frame in enumerate(reader, start=1):
        pixels = frame.convert(frame.width, frame.height)
        yield frame.seconds, draw_marks(pixels, marks.get(frame.index, ()), verdict_of)
        if on_progress:
            on_progress(number)


def _write(
    source: Path, target: Path, pictures: Iterable[tuple[float, np.ndarray]], reader: VideoReader
) -> None:
    """Encodes the pictures, and copies the sound between them as players read it: in the order of time."""
    metadata = reader.metadata
    with av.open(str(target), "w") as output:
        video = output.add_stream("libx264", rate=Fraction(metadata.fps).limit_denominator(1001))
        video.width, video.height = (side - side % 2 for side in (metadata.width, metadata.height))
        video.pix_fmt, video.options = "yuv420p", QUALITY
        video.codec_context.time_base = TIME_BASE
        last = -1
        with copied_sound(source, output) as sound:
            for seconds, pixels in pictures:
                sound.copy_until(seconds)
                picture = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(pixels[: video.height, : video.width]), format="rgb24"
                )
                last = max(round(seconds / TIME_BASE), last + 1)
                picture.pts, picture.time_base = last, TIME_BASE
                output.mux(video.encode(picture))
            output.mux(video.encode(None))
            sound.copy_until(float("inf"))


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
