"""Resizes the frames of a clip, for training and detection alike."""

from __future__ import annotations

import cv2
import numpy as np


def resize_clip(pixels: np.ndarray, size: int) -> np.ndarray:
    """(T, H, W, C) uint8 -> (T, size, size, C): areas averaged when shrinking, cubic when enlarging."""
    frames, height, width, channels = pixels.shape
    if (height, width) == (size, size):
        return pixels
    interpolation = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_CUBIC
    resized = np.empty((frames, size, size, channels), dtype=pixels.dtype)
    for source, target in zip(pixels, resized, strict=True):
        cv2.resize(source, (size, size), dst=target, interpolation=interpolation)
    return resized


def cut_down(pixels: np.ndarray, part: float) -> np.ndarray:
    """(T, H, W, C) -> the centre, so much of both sides."""
    if part == 1.0:
        return pixels
    height, width = (max(round(side * part), 1) for side in pixels.shape[1:3])
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    return pixels[:, top : top + height, left : left + width]


def resize_and_crop(picture: np.ndarray, size: int, crop_pct: float = 1.0) -> np.ndarray:
    """(H, W, C) uint8 -> (size, size, C): the shorter side to ``size / crop_pct``, then the centre.

    Never stretched. Below 1, ``crop_pct`` cuts the border off, as the usual ImageNet test transform does.
    """
    height, width, channels = picture.shape
    scale = int(size / crop_pct) / min(height, width)
    if scale != 1:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        height, width = max(size, round(height * scale)), max(size, round(width * scale))
        picture = cv2.resize(picture, (width, height), interpolation=interpolation)
        picture = picture.reshape(height, width, channels)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(picture[top : top + size, left : left + size])
