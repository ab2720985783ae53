"""The perturbations of single pictures: (H, W, 3) uint8 RGB and a parameter -> the same shape and type.

H W pixels. Definitions are those of DeeperForensics-1.0 (Jiang et al., CVPR 2020, and its published
perturbation code) where nothing else is said; every picture of a video draws anew, as there.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""BT.601."""
FROM_YCBCR = np.array([[1.0, 1.0, 1.0], [0.0, -0.344136, 1.772], [1.402, -0.714136, 0.0]], dtype=np.float32)
"""Rows Y, Cb, Cr: what each adds to R, G and B (BT.601, full range)."""
STUDIO_SWING = np.array([255 / 219, 255 / 224, 255 / 224], dtype=np.float32)
"""Grey levels of full range in one of studio range, for Y, Cb and Cr."""
BLOCK_SIDE = 8
BLOCK_GREY = 128
BLOCK_UNIT = 256
"""Block counts are for a picture whose shorter side is this; larger ones get them so many whole times."""


def change_saturation(picture: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Multiplies the colour differences: 1 changes nothing, 0 leaves grey."""
    grey = (picture.astype(np.float32) @ LUMA)[..., None]
    return _bytes(grey + factor * (picture - grey))


def change_contrast(picture: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Multiplies every value, as the published code does: contrast falls towards black, not towards grey."""
    return cv2.LUT(picture, _bytes(np.arange(256) * factor))


def cover_blocks(picture: np.ndarray, count: float, generator: np.random.Generator) -> np.ndarray:
    """Grey squares of 8 pixels at random places, ``count`` times the whole 256s in the shorter side.

    Smaller pictures, such as face crops, for which the published rule gives none, get as many per pixel as
    one of 256 x 256.
    """
    height, width = picture.shape[:2]
    times = min(height, width) // BLOCK_UNIT or height * width / BLOCK_UNIT**2
    covered = picture.copy()
    for _ in range(max(1, round(count * times))):
        top = generator.integers(max(height - BLOCK_SIDE, 1))
        left = generator.integers(max(width - BLOCK_SIDE, 1))
        covered[top : top + BLOCK_SIDE, left : left + BLOCK_SIDE] = BLOCK_GREY
    return covered


def add_noise(picture: np.ndarray, variance: float, generator: np.random.Generator) -> np.ndarray:
    """White Gaussian noise on Y, Cb and Cr of studio range in [0, 1]."""
    noise = generator.standard_normal(picture.shape, dtype=np.float32)
    scale = 255 * np.sqrt(np.float32(variance)) * STUDIO_SWING
    return _bytes(picture + noise @ (scale[:, None] * FROM_YCBCR))


def blur(picture: np.ndarray, kernel: float, _: np.random.Generator) -> np.ndarray:
    """A Gaussian kernel of that many pixels, with a standard deviation of a sixth of them."""
    side = int(kernel)
    return cv2.GaussianBlur(picture, (side, side), kernel / 6)


def compress_jpeg(picture: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    """Through a JPEG encoder and back, at a quality of 100 to 1."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1])


def shrink_and_enlarge(picture: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Down to a ``factor``-th of each side and up again, both bilinear and without smoothing before."""
    height, width = picture.shape[:2]
    small = (max(1, int(width // factor)), max(1, int(height // factor)))
    return cv2.resize(cv2.resize(picture, small), (width, height))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
