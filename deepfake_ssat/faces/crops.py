"""Square crops around faces: padded with black at the border, never stretched.

A frame is cut loosely as soon as its face is found, so that no whole frame waits for the smoothing of boxes;
the final crop is cut out of the loose one. H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LOOSENESS = 1.5
"""Side of the loose crop in sides of the final one."""
SPARE_RESOLUTION = 2.0
"""A loose crop is shrunk where it has more than this times the final crop's pixels per side."""


@dataclass(frozen=True)
class LooseCrop:
    """A generous part of one frame."""

    pixels: np.ndarray
    """(H, W, 3) uint8."""
    left: float
    """Of its first column, in frame pixels, as the squares are."""
    top: float
    scale: float
    """Its pixels per frame pixel."""


def crop_square(box: np.ndarray, margin: float) -> np.ndarray:
    """Box (4,) -> (center x, center y, side): the longer side widened by the margin."""
    side = max(box[2] - box[0], box[3] - box[1]) * (1.0 + margin)
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, side])


def cut_loosely(frame: np.ndarray, square: np.ndarray, crop_size: int, detail: float = 1.0) -> LooseCrop:
    """A copy of the frame around a square, as far as the frame reaches.

    ``detail`` is how many pixels the picture has per frame pixel (of the squares).
    """
    height, width = frame.shape[:2]
    center_x, center_y, side = square * detail
    half = side * LOOSENESS / 2
    left, right = _span(center_x, half, width)
    top, bottom = _span(center_y, half, height)
    part = frame[top:bottom, left:right]
    scale = min(1.0, SPARE_RESOLUTION * crop_size / side)
    if scale == 1.0:
        return LooseCrop(part.copy(), left / detail, top / detail, detail)
    size = (max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))
    shrunk = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return LooseCrop(shrunk, left / detail, top / detail, scale * detail)


def cut_finally(loose: LooseCrop, square: np.ndarray, crop_size: int) -> np.ndarray:
    """(crop_size, crop_size, 3) uint8: the square, with black where the frame ends."""
    side = max(round(square[2] * loose.scale), 1)
    left = round((square[0] - loose.left) * loose.scale - side / 2)
    top = round((square[1] - loose.top) * loose.scale - side / 2)
    padded = np.zeros((side, side, 3), np.uint8)
    height, width = loose.pixels.shape[:2]
    x0, x1, y0, y1 = max(left, 0), min(left + side, width), max(top, 0), min(top + side, height)
    if x1 > x0 and y1 > y0:
        padded[y0 - top : y1 - top, x0 - left : x1 - left] = loose.pixels[y0:y1, x0:x1]
    interpolation = cv2.INTER_AREA if side >= crop_size else cv2.INTER_CUBIC
    return cv2.resize(padded, (crop_size, crop_size), interpolation=interpolation)


def into_crop(points: np.ndarray, square: np.ndarray, crop_size: int) -> np.ndarray:
    """Points (N, 2) of the frame -> in pixels of the final crop."""
    corner = square[:2] - square[2] / 2
    return (points - corner) * (crop_size / square[2])


def smooth_squares(squares: np.ndarray, positions: slice, sigma: float) -> np.ndarray:
    """Squares (F, 3) of consecutive frames -> those at ``positions``, smoothed by a truncated Gaussian.

    The centre stays near enough to its own frame's for the loose crop to contain the result.
    """
    chosen = squares[positions]
    if sigma == 0:
        return chosen
    reach = look_ahead(sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    smoothed = np.empty_like(chosen)
    for row, center in enumerate(range(*positions.indices(len(squares)))):
        start, stop = max(center - reach, 0), min(center + reach + 1, len(squares))
        part = weights[start - center + reach : stop - center + reach]
        smoothed[row] = part @ squares[start:stop] / part.sum()
    slack = 0.5 * (LOOSENESS - 1.0) * np.minimum(chosen[:, 2], smoothed[:, 2])[:, None]
    smoothed[:, 2] = np.clip(smoothed[:, 2], 0.8 * chosen[:, 2], 1.2 * chosen[:, 2])
    slack = slack - 0.5 * np.abs(smoothed[:, 2:] - chosen[:, 2:])
    smoothed[:, :2] = np.clip(smoothed[:, :2], chosen[:, :2] - slack, chosen[:, :2] + slack)
    return smoothed


def look_ahead(sigma: float) -> int:
    """Frames on each side that the smoothing reads."""
    return int(np.ceil(2.0 * sigma))


def _span(center: float, half: float, length: int) -> tuple[int, int]:
    """The whole pixels of [center - half, center + half] inside [0, length), at least one."""
    start = min(max(int(np.floor(center - half)), 0), length - 1)
    return start, max(min(int(np.ceil(center + half)), length), start + 1)
