"""Outlines of the parts of a face, fitted to MTCNN's five landmarks. N points, (x, y)."""

from __future__ import annotations

import cv2
import numpy as np

CANONICAL_LANDMARKS = np.array([[-0.32, 0.0], [0.32, 0.0], [0.0, 0.36], [-0.26, 0.72], [0.26, 0.72]])
"""Left eye, right eye, nose, mouth corners of a frontal face whose outline is about 1.3 wide."""

CANONICAL_WIDTH = 1.3

REGIONS: dict[str, np.ndarray] = {
    # Brows to chin, as the hull of 68 landmarks.
    "face": np.array(
        [
            [-0.62, -0.10], [-0.50, -0.26], [-0.26, -0.30], [0.0, -0.26], [0.26, -0.30], [0.50, -0.26],
            [0.62, -0.10], [0.64, 0.18], [0.60, 0.46], [0.53, 0.72], [0.40, 0.95], [0.20, 1.10],
            [0.0, 1.15], [-0.20, 1.10], [-0.40, 0.95], [-0.53, 0.72], [-0.60, 0.46], [-0.64, 0.18],
        ]
    ),
    # With the forehead.
    "head": np.array(
        [
            [-0.64, -0.15], [-0.58, -0.42], [-0.38, -0.62], [0.0, -0.70], [0.38, -0.62], [0.58, -0.42],
            [0.64, -0.15], [0.65, 0.18], [0.60, 0.46], [0.53, 0.72], [0.40, 0.95], [0.20, 1.10],
            [0.0, 1.15], [-0.20, 1.10], [-0.40, 0.95], [-0.53, 0.72], [-0.60, 0.46], [-0.65, 0.18],
        ]
    ),
    # Eyes to mouth, without cheeks and chin, as early face swaps paste it.
    "inner": np.array(
        [
            [-0.50, -0.20], [-0.25, -0.27], [0.0, -0.22], [0.25, -0.27], [0.50, -0.20], [0.52, 0.15],
            [0.46, 0.50], [0.40, 0.80], [0.22, 0.96], [0.0, 0.99], [-0.22, 0.96], [-0.40, 0.80],
            [-0.46, 0.50], [-0.52, 0.15],
        ]
    ),
    "lower": np.array(
        [
            [-0.58, 0.36], [-0.30, 0.30], [0.0, 0.40], [0.30, 0.30], [0.58, 0.36], [0.53, 0.72],
            [0.40, 0.95], [0.20, 1.10], [0.0, 1.15], [-0.20, 1.10], [-0.40, 0.95], [-0.53, 0.72],
        ]
    ),
    "mouth": np.array(
        [
            [-0.38, 0.66], [-0.22, 0.52], [0.0, 0.50], [0.22, 0.52], [0.38, 0.66], [0.36, 0.84],
            [0.20, 0.98], [0.0, 1.02], [-0.20, 0.98], [-0.36, 0.84],
        ]
    ),
    "eyes": np.array(
        [
            [-0.56, -0.02], [-0.50, -0.22], [-0.26, -0.28], [0.0, -0.20], [0.26, -0.28], [0.50, -0.22],
            [0.56, -0.02], [0.44, 0.14], [0.20, 0.14], [0.0, 0.10], [-0.20, 0.14], [-0.44, 0.14],
        ]
    ),
}  # fmt: skip
"""Corner points in the canonical face's coordinates; the eyes' line is y = 0, downwards positive."""

REGION_CENTERS = {"mouth": (0.0, 0.74), "eyes": (0.0, -0.02)}


class FaceFit:
    """The affine map from the canonical face to one frame, least squares over the five landmarks."""

    def __init__(self, landmarks: np.ndarray) -> None:
        """``landmarks`` (5, 2) in pixels."""
        ones = np.ones((5, 1))
        solution, *_ = np.linalg.lstsq(
            np.hstack([CANONICAL_LANDMARKS, ones]), landmarks.astype(float), rcond=None
        )
        self.matrix = solution.T
        """(2, 3): pixels = matrix @ (x, y, 1)."""
        self.width = CANONICAL_WIDTH * float(np.sqrt(max(abs(np.linalg.det(self.matrix[:, :2])), 1.0)))
        """Pixels across the face."""

    def place(self, points: np.ndarray) -> np.ndarray:
        """Canonical points (N, 2) -> pixels (N, 2)."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def smooth_outline(corners: np.ndarray, generator: np.random.Generator, deform: float) -> np.ndarray:
    """Canonical corners -> the same, moved to and from the middle by a smooth random wave of ``deform``."""
    center = corners.mean(axis=0)
    angles = np.arctan2(*(corners - center).T[::-1])
    wave = np.ones(len(corners))
    for frequency in (1, 2, 3):
        amplitude, phase = generator.normal(0.0, deform / frequency), generator.uniform(0.0, 2.0 * np.pi)
        wave += amplitude * np.cos(frequency * angles + phase)
    stretch = 1.0 + generator.normal(0.0, deform, 2)
    return center + (corners - center) * np.clip(wave, 0.7, 1.3)[:, None] * np.clip(stretch, 0.8, 1.2)


def draw_mask(outline: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Outline (N, 2) in pixels -> (H, W) float32 in [0, 1], soft at the edge by ``sigma`` pixels.

    The outline is drawn smaller by the edge's width, so that the soft part stays within the face.
    """
    center = outline.mean(axis=0)
    radius = float(np.sqrt(((outline - center) ** 2).sum(axis=1).mean()))
    shrunk = center + (outline - center) * max(1.0 - sigma / max(radius, 1.0), 0.5)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(shrunk * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    if sigma > 0.3:
        mask = cv2.GaussianBlur(mask, (0, 0), float(sigma), borderType=cv2.BORDER_REPLICATE)
    return mask.astype(np.float32) / 255.0
