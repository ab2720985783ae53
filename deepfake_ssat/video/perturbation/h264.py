"""Frames through a real H.264 encoder and back, as they stream by.

T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import groupby
from typing import cast

import av
import cv2
import numpy as np
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext

ENCODER, DECODER = "libx264", "h264"
PRESET = "medium"
"""FFmpeg's default, as a plain ``ffmpeg -crf N`` has it."""
REPEATABLE = "no-mbtree=1"
"""With macroblock trees, where x264 uses AVX-512, one clip in fifty came out otherwise the second time."""


def reencode(
    frames: Iterable[np.ndarray], crf: float, fps: float, preset: str = PRESET
) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB frames -> as many, in order, after 4:2:0 H.264 at a constant rate factor.

    The encoder looks some 50 frames ahead, and no more are held. A change of size starts another stream.
    """
    for _, run in groupby(frames, key=lambda picture: picture.shape):
        yield from _reencode_run(run, crf, fps, preset)


def _reencode_run(frames: Iterator[np.ndarray], crf: float, fps: float, preset: str) -> Iterator[np.ndarray]:
    encoder: VideoCodecContext | None = None
    decoder = cast(VideoCodecContext, CodecContext.create(DECODER, "r"))
    decoder.thread_count = 1
    height = width = 0
    for index, picture in enumerate(frames):
        if encoder is None:
            height, width = picture.shape[:2]
            encoder = _encoder(height + height % 2, width + width % 2, crf, fps, preset)
        for packet in encoder.encode(_to_yuv(picture, index)):
            for frame in decoder.decode(packet):
                yield _to_rgb(frame, height, width)
    assert encoder is not None
    for packet in [*encoder.encode(None), None]:
        for frame in decoder.decode(packet):
            yield _to_rgb(frame, height, width)


def _encoder(height: int, width: int, crf: float, fps: float, preset: str) -> VideoCodecContext:
    encoder = cast(VideoCodecContext, CodecContext.create(ENCODER, "w"))
    rate = Fraction(fps).limit_denominator(1001)
    encoder.height, encoder.width, encoder.pix_fmt = height, width, "yuv420p"
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.options = {"crf": f"{crf:g}", "preset": preset, "x264-params": REPEATABLE}
    encoder.thread_count = 1  # The same bytes on every machine.
    return encoder


def _to_yuv(picture: np.ndarray, index: int) -> av.VideoFrame:
    """4:2:0 wants even sides: the last row or column is repeated."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    # OpenCV's conversion, as in _to_rgb: BT.601.
    planes = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420)
    frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
    frame.pts = index
    return frame


def _to_rgb(frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
    picture = cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2RGB_I420)
    return np.ascontiguousarray(picture[:height, :width])
