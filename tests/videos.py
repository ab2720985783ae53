"""Writes the small videos that the tests read."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec import Codec
from av.error import FFmpegError


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float = 25,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    *,
    pixel_format: str = "yuv420p",
    seconds: Sequence[float] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    muxer: str | None = None,
    muxer_options: dict[str, str] | None = None,
    color_range: int | None = None,
    colorspace: int | None = None,
) -> Path:
    """Encode (H, W, 3) uint8 RGB frames; ``seconds`` are their times if the rate varies.

    ``rotation`` is how many degrees clockwise a player has to turn the picture, ``mirrored`` whether it then
    has to mirror it left to right (MP4 only).
    """
    rate = Fraction(fps).limit_denominator(1001)
    time_base = 1 / rate if seconds is None else Fraction(1, 1000)
    with av.open(str(path), "w", format=muxer, container_options=muxer_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        if color_range is not None:
            stream.codec_context.color_range = color_range
        if colorspace is not None:
            stream.codec_context.colorspace = colorspace
        for index, picture in enumerate(frames):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(
                format=pixel_format, dst_colorspace=colorspace, dst_color_range=color_range
            )
            frame.pts = index if seconds is None else round(seconds[index] * 1000)
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation or mirrored:
        _set_display_matrix(path, rotation, mirrored)
    return path


def _set_display_matrix(path: Path, rotation: int, mirrored: bool) -> None:
    """Write how to turn and mirror the picture into the track header of an MP4 (ISO 14496-12, 8.3.2)."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation]
    flip = -1 if mirrored else 1
    one = 1 << 16
    matrix = (flip * cosine * one, sine * one, 0, -flip * sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, *matrix)
    path.write_bytes(data)


def encoder_or_skip(*names: str) -> str:
    """The first of these encoders that this build of PyAV has; skips the test if it has none."""
    for name in names:
        try:
            Codec(name, "w")
        except (ValueError, FFmpegError):
            continue
        return name
    pytest.skip(f"this build of PyAV has no encoder of {', '.join(names)}")


def coded_frames(num_frames: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """(H, W, 3) frames of a soft colour ramp, each with its number written as 8 bright or dark bars.

    The bars survive lossy coding: ``read_code`` gets the number back from a decoded picture.
    """
    height, width = size
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x * 120 / width + 60, y * 120 / height + 60, 180 - x * 120 / width], axis=-1)
    edges = np.linspace(0, width, 9).round().astype(int)
    frames = []
    for number in range(num_frames):
        picture = ramp.copy()
        for bit in range(8):
            picture[: height // 2, edges[bit] : edges[bit + 1]] = 235 if number >> bit & 1 else 20
        frames.append(picture.astype(np.uint8))
    return frames


def read_code(picture: np.ndarray) -> int:
    """The number (modulo 256) that ``coded_frames`` wrote into a picture."""
    height, width = picture.shape[:2]
    edges = np.linspace(0, width, 9)
    row = picture[height // 4, :, 1]
    return sum(int(row[round((edges[bit] + edges[bit + 1]) / 2)] > 128) << bit for bit in range(8))
