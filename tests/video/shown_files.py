"""Writes small videos that are not to be taken literally: joined, cut, of several tracks or sizes, HDR."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import VideoFrame

TICK = Fraction(1, 1000)


def write_tracks(
    path: Path,
    tracks: Sequence[Sequence[np.ndarray]],
    fps: Sequence[float],
    default: Sequence[bool],
    flags: Sequence[Disposition] = (),
) -> Path:
    """Several picture tracks of (H, W, 3) frames in one file, each with a default flag or none."""
    with av.open(str(path), "w") as container:
        streams = []
        for number, frames in enumerate(tracks):
            disposition = flags[number] if flags else Disposition(0)
            cover = bool(disposition & Disposition.attached_pic)
            rate = Fraction(fps[number]).limit_denominator(1001)
            stream = container.add_stream("mjpeg" if cover else "libx264", rate=rate)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if cover else "yuv420p"
            stream.disposition = disposition | (Disposition.default if default[number] else Disposition(0))
            streams.append(stream)
        for stream, frames in zip(streams, tracks, strict=True):
            for picture in frames:
                container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return path


def write_sizes(path: Path, stretches: Sequence[Sequence[np.ndarray]], fps: int = 25) -> Path:
    """One Motion JPEG track whose frames change their size from stretch to stretch."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("mjpeg", rate=fps, options={"qscale": "2"})
        track.height, track.width = stretches[0][0].shape[:2]
        track.pix_fmt = "yuvj420p"
        number = 0
        for frames in stretches:
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.height, encoder.width = frames[0].shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, fps)
            encoder.options = {"qscale": "2"}
            for picture in frames:
                frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                for packet in encoder.encode(frame):
                    packet.stream = track
                    container.mux(packet)
                number += 1
    return path


def write_with_sound(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    picture_start: float = 0.0,
    sound_seconds: float,
    codecs: tuple[str, str] = ("libx264", "aac"),
    sample_rate: int = 16000,
    fps: int = 25,
) -> Path:
    """Pictures that begin ``picture_start`` seconds after a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codecs[0], rate=fps)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = TICK
        sound = container.add_stream(codecs[1], rate=sample_rate, layout="mono")
        sound.bit_rate = 64_000
        for start in range(0, round(sound_seconds * sample_rate), 1024):
            tone = np.sin(np.arange(start, start + 1024) * 2 * np.pi * 440 / sample_rate).astype(np.float32)[
                None
            ]
            samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            samples.sample_rate, samples.pts = sample_rate, start
            samples.time_base = Fraction(1, sample_rate)
            container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
        for number, picture in enumerate(frames):
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round((picture_start + number / fps) * 1000), TICK
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def join(path: Path, *parts: Path) -> Path:
    """Files one after the other, as ``cat`` does: of transport streams this makes one that plays."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def hide_all_but(path: Path, seconds: float) -> Path:
    """Shortens the one edit of an MP4's edit list (ISO 14496-12, 8.6.6), as cutting without encoding does."""
    data = bytearray(path.read_bytes())
    edit = data.index(b"elst")
    timescale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    struct.pack_into(">I", data, edit + 12, round(seconds * timescale))
    path.write_bytes(data)
    return path


def write_hdr(path: Path, codes: np.ndarray, transfer: int, num_frames: int = 3) -> Path:
    """Frames of (3, H, W) 10-bit Y'CbCr (BT.2020, limited range) code values, tagged as HDR."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = codes.shape[1:]
        stream.pix_fmt = "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer, 9
        context.colorspace, context.color_range = 9, 1
        for number in range(num_frames):
            frame = VideoFrame(codes.shape[2], codes.shape[1], "yuv444p10le")
            for plane, values in zip(frame.planes, codes, strict=True):
                padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                padded[:, : plane.width] = values
                plane.update(padded.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.color_trc, frame.color_primaries = transfer, 9
            frame.colorspace, frame.color_range = 9, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
