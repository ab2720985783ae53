"""Writes a copy of a video with face boxes, track numbers and scores drawn in, its sound kept as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from deepfake_ssat.errors import OutputError
from deepfake_ssat.inference.explanation import FrameMark
from deepfake_ssat.outputs import whole_file
from deepfake_ssat.records import Verdict, VideoMetadata, VideoVerdict
from deepfake_ssat.reporting.banner import COLOURS, NOT_ANALYSED, NOT_SCORED, PALE, Banner
from deepfake_ssat.reporting.sound import copied_sound
from deepfake_ssat.video.reader import open_video_or_picture

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
    turn: int = 0,
    verdict: VideoVerdict | None = None,
    searched: Sequence[tuple[int, int]] = (),
) -> list[str]:
    """Writes ``target`` (whole or not at all) from ``source``; returned are warnings about both.

    Frames without marks are copied as they are. A ``verdict`` stands in a banner above the pictures, with the
    time, and says of a frame without a score whether it lies in one of the ``searched`` stretches. Sound is
    copied, not encoded again, where the target's container can hold it, and stays in step with the pictures.
    ``turn`` is the clockwise turn that the marks were found under. ``on_progress`` is called with the number
    of frames written.
    """
    muxer = CONTAINERS[target.suffix.lower()]
    with (
        whole_file(target) as unfinished,
        open_video_or_picture(source, turn) as reader,
        av.open(str(unfinished), "w", format=muxer) as output,
    ):
        banner = Banner(verdict, reader.metadata.width) if verdict else None
        video = _picture_track(output, reader.metadata, banner.height if banner else 0)
        with copied_sound(source, output) as sound:
            last = -1
            for number, frame in enumerate(reader, start=1):
                sound.copy_until(frame.seconds)
                pixels = frame.convert(frame.width, frame.height)  # All of one size, whatever their own.
                shown = marks.get(frame.index, ())
                drawn = draw_marks(pixels, shown, verdict_of)
                if banner:
                    missing = _missing(frame.index, shown, searched)
                    drawn = np.concatenate([banner.draw(frame.seconds, missing), drawn])
                last = max(round(frame.seconds / TIME_BASE), last + 1)
                output.mux(video.encode(_picture(drawn[: video.height, : video.width], last)))
                if on_progress:
                    on_progress(number)
            output.mux(video.encode(None))
            sound.copy_until(float("inf"))
        return [*reader.warnings, *sound.warnings]


def _missing(index: int, marks: Sequence[FrameMark], searched: Sequence[tuple[int, int]]) -> str:
    """Why a frame has no score; empty where it has one."""
    if any(mark.probability is not None for mark in marks):
        return ""
    return NOT_SCORED if any(first <= index <= last for first, last in searched) else NOT_ANALYSED


def _picture_track(output: OutputContainer, metadata: VideoMetadata, banner_height: int) -> VideoStream:
    """H.264 of the displayed size and the banner's, cut to even sides."""
    track = output.add_stream("libx264", rate=Fraction(metadata.fps).limit_denominator(1001))
    width, height = metadata.width, metadata.height + banner_height
    track.width, track.height = width - width % 2, height - height % 2
    track.pix_fmt, track.codec_context.options = "yuv420p", dict(QUALITY)
    track.codec_context.time_base = TIME_BASE
    return track


def _picture(pixels: np.ndarray, time_stamp: int) -> av.VideoFrame:
    """(H, W, 3) uint8 at a time in ``TIME_BASE``."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    picture.pts, picture.time_base = time_stamp, TIME_BASE
    return picture


def draw_marks(
    pixels: np.ndarray, marks: Sequence[FrameMark], verdict_of: Callable[[float], Verdict]
) -> np.ndarray:
    """(H, W, 3) uint8 -> a copy with a box and "face 0: 0.93" for each mark, readable on any background.

    Of a face without a score the box is pale and thin, and no number stands on it.
    """
    drawn = np.ascontiguousarray(pixels).copy()
    scale = max(drawn.shape[:2]) / 1280
    thickness = max(2, round(3 * scale))
    for mark in marks:
        colour, text, width_of_line = PALE, f"face {mark.track_id}", 1
        if mark.probability is not None:
            colour = COLOURS[verdict_of(mark.probability)]
            text, width_of_line = f"{text}: {mark.probability:.2f}", thickness
        left, top, right, bottom = (round(side) for side in mark.box)
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, width_of_line)
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
