"""Decoded frames to RGB, shrunk and converted in one go.

H W pixels.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from deepfake_ssat.video.tone_mapping import is_hdr, to_rec709

MAX_REFORMATTERS = 4
"""One for each size that frames are converted to; many sizes must not fill the memory."""
UNSPECIFIED = 2
"""As a matrix (ITU-T H.273)."""


class FrameConverter:
    """Holds FFmpeg's scalers, which are slow to set up."""

    def __init__(self) -> None:
        self._reformatters: dict[tuple[int, int], VideoReformatter] = {}

    def rgb(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        """A decoded frame, stretched to a size: (height, width, 3) uint8."""
        enlarges = width > frame.width or height > frame.height
        interpolation = Interpolation.BICUBIC if enlarges else Interpolation.AREA
        reformatter = self._reformatter(width, height)
        if is_hdr(frame.color_trc):
            matrix = Colorspace.BT2020 if frame.colorspace == UNSPECIFIED else frame.colorspace
            picture = reformatter.reformat(
                frame,
                width,
                height,
                format="rgb48le",
                interpolation=interpolation,
                src_colorspace=matrix,
                src_color_range=frame.color_range,
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=ColorRange.JPEG,
            )
            return to_rec709(picture.to_ndarray(), frame.color_trc, frame.color_primaries)
        return reformatter.reformat(
            frame,
            width,
            height,
            format="rgb24",
            interpolation=interpolation,
            src_colorspace=frame.colorspace,
            src_color_range=frame.color_range,
            dst_colorspace=Colorspace.ITU601,  # No matter to RGB; PyAV 16 ignores the source's without.
        ).to_ndarray()

    def _reformatter(self, width: int, height: int) -> VideoReformatter:
        if (width, height) not in self._reformatters:
            if len(self._reformatters) >= MAX_REFORMATTERS:
                self._reformatters.clear()
            self._reformatters[width, height] = VideoReformatter()
        return self._reformatters[width, height]
