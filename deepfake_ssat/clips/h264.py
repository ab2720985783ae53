"""H.264 compression of a clip at a random strength: what platforms do to every video.

T frames, H W pixels.
"""

from __future__ import annotations

import numpy as np

from deepfake_ssat.config import H264
from deepfake_ssat.video.perturbation.h264 import reencode

FPS = 25.0
PRESET = "veryfast"
"""The fastest with all that shapes the picture in files from elsewhere (deblocking, CABAC)."""


class H264Compression:
    """Through libx264 in 4:2:0 and back, with ``probability``, at a CRF from the range."""

    def __init__(self, settings: H264) -> None:
        self._settings = settings

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, 3) uint8 -> the same; two numbers are drawn, whatever they decide."""
        chance = generator.random()
        low, high = self._settings.crf
        crf = int(generator.integers(low, high + 1))
        if chance >= self._settings.probability:
            return pixels
        return np.stack(list(reencode(pixels, crf, FPS, PRESET)))
