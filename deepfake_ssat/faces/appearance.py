"""What a face looks like in a few numbers, to tell people apart where their boxes meet."""

from __future__ import annotations

import cv2
import numpy as np

from deepfake_ssat.records import Box

SIDE = 12


def describe(frame: np.ndarray, box: Box) -> np.ndarray:
    """Frame (H, W, 3) uint8, box in its pixels -> (SIDE * SIDE * 3,) float32 of length 1.

    A tiny picture of the box in Lab, its mean brightness taken away: colours and their places stay, lighting
    goes for the most part.
    """
    height, width = frame.shape[:2]
    x0, y0 = max(int(box[0]), 0), max(int(box[1]), 0)
    x1, y1 = min(max(int(box[2]), x0 + 1), width), min(max(int(box[3]), y0 + 1), height)
    part = frame[min(y0, height - 1) : y1, min(x0, width - 1) : x1]
    tiny = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(tiny, cv2.COLOR_RGB2LAB).astype(np.float32) - 128.0
    lab[..., 0] -= lab[..., 0].mean()
    values = lab.ravel()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two descriptions: 1 for the same picture, near 0 for unlike ones."""
    return float(a @ b)
