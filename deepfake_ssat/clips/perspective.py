"""Random perspective: a picture as seen from another place (CIFAR-100-p and IN-1K-p of table 2)."""

from __future__ import annotations

import cv2
import numpy as np

PAPER_DISTORTION = 0.5
"""Of table 2's test sets, as the authors' released code makes them."""


class RandomPerspective:
    """Moves each corner of a picture inwards by up to ``distortion`` of half its side; black lies outside.

    The definition is torchvision's (``RandomPerspective`` with p = 1, bilinear).
    """

    def __init__(self, distortion: float = PAPER_DISTORTION) -> None:
        self._distortion = distortion

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same, all frames alike; every draw comes from the generator."""
        _, height, width, _ = pixels.shape
        corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
        return warp(pixels, corners, self._moved(corners, height, width, generator))

    def _moved(
        self, corners: np.ndarray, height: int, width: int, generator: np.random.Generator
    ) -> np.ndarray:
        reach = [int(self._distortion * (side // 2)) for side in (width, height)]
        inwards = generator.integers(0, np.array(reach) + 1, corners.shape)
        return corners + np.where(corners == 0, inwards, -inwards)


def warp(pixels: np.ndarray, corners: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(T, H, W, C) uint8 with four points (4, 2), as (x, y), brought to four others."""
    _, height, width, _ = pixels.shape
    # Torchvision's points lie on the edges between pixels, OpenCV's on their middles.
    before, after = ((points - 0.5).astype(np.float32) for points in (corners, moved))
    matrix = cv2.getPerspectiveTransform(before, after)
    warped = [cv2.warpPerspective(frame, matrix, (width, height), flags=cv2.INTER_LINEAR) for frame in pixels]
    return np.stack(warped).reshape(pixels.shape)
