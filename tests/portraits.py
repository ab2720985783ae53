"""Frames with faces that detectors find: scikit-image's astronaut portrait, moved over a plain background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
import skimage.data

Place = tuple[float, float]


@cache
def portrait(face_side: int, tint: str = "none") -> np.ndarray:
    """The head, (S, S, 3) uint8, its face about ``face_side`` pixels high; ``green`` is another person."""
    head = skimage.data.astronaut()[30:210, 135:315]
    head = cv2.resize(head, None, fx=face_side / 112, fy=face_side / 112, interpolation=cv2.INTER_AREA)
    if tint == "green":
        head = np.clip(head.astype(float)[:, ::-1] * (0.55, 1.0, 0.6), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(head)


def background(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: a soft texture without anything like a face."""
    coarse = np.random.default_rng(seed).integers(90, 150, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def with_faces(
    frame: np.ndarray, centers: Sequence[Place], face_side: int, tints: Sequence[str] | None = None
) -> np.ndarray:
    """A copy of the frame with a portrait around each centre (x, y), later ones in front."""
    drawn = frame.copy()
    for center, tint in zip(centers, tints or ["none"] * len(centers), strict=True):
        head = portrait(face_side, tint)
        left, top = (round(value - len(head) / 2) for value in center)
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + len(head), frame.shape[1]), min(top + len(head), frame.shape[0])
        if x1 > x0 and y1 > y0:
            drawn[y0:y1, x0:x1] = head[y0 - top : y1 - top, x0 - left : x1 - left]
    return drawn


def portrait_frames(
    num_frames: int,
    size: tuple[int, int] = (240, 320),
    centers: Callable[[int], Sequence[Place]] | None = None,
    face_side: int = 80,
    tints: Sequence[str] | None = None,
    seed: int = 0,
) -> list[np.ndarray]:
    """Frames (H, W, 3) uint8; ``centers`` gives the faces' places in a frame, by default one that drifts."""
    height, width = size
    plain = background(height, width, seed)
    centers = centers or (lambda index: [(width / 2 + 0.5 * index - num_frames / 4, height / 2)])
    return [with_faces(plain, centers(index), face_side, tints) for index in range(num_frames)]
