"""A clip as a strip of face crops, with its heat maps laid over copies of the same frames.

T frames, H W pixels; a heat map has (t, h, w) cells.
"""

from __future__ import annotations

import cv2
import numpy as np

from deepfake_ssat.inference.explanation import ClipExplanation
from deepfake_ssat.reporting.heat import heated

STRIP_FRAMES = 6
SIDE = 120
GAP = 4
JPEG_QUALITY = 88


def filmstrip(clip: ClipExplanation, evidence_scale: float, error_scale: float) -> np.ndarray:
    """Rows of ``STRIP_FRAMES`` frames spread over the clip: as seen, evidence, reconstruction error.

    The scales are the values drawn brightest, the same for all strips of a report. (H, W, 3) uint8.
    """
    frames = STRIP_FRAMES if clip.seconds[-1] > clip.seconds[0] else 1  # A still picture is one frame.
    chosen = np.linspace(0, len(clip.pixels) - 1, frames).round().astype(int)
    crops = [cv2.resize(clip.pixels[index], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for index in chosen]
    rows = [crops, _heated(crops, chosen, clip, clip.evidence, evidence_scale)]
    if clip.reconstruction_error is not None:
        rows.append(_heated(crops, chosen, clip, clip.reconstruction_error, error_scale))
    return _with_gaps(rows)


def clip_strip(clip: ClipExplanation) -> np.ndarray:
    """The strip of a clip that is shown alone: its own highest values are drawn brightest."""
    error = clip.reconstruction_error
    return filmstrip(clip, float(clip.evidence.max()), 1.0 if error is None else float(error.max()))


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (SIDE, SIDE, 3) uint8."""
    return cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB -> the bytes of a PNG file."""
    written, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not written:
        raise RuntimeError(f"picture of shape {pixels.shape} could not be encoded")
    return encoded.tobytes()


def jpeg(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB -> the bytes of a JPEG file of good quality."""
    written, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not written:
        raise RuntimeError(f"picture of shape {pixels.shape} could not be encoded")
    return encoded.tobytes()


def _heated(
    frames: list[np.ndarray], chosen: np.ndarray, clip: ClipExplanation, heat: np.ndarray, scale: float
) -> list[np.ndarray]:
    """The frames with their cells' heat over them; grey below, so that the colour is the heat's alone."""
    return [
        heated(frame, heat[index * len(heat) // len(clip.pixels)] / max(scale, 1e-9))
        for frame, index in zip(frames, chosen, strict=True)
    ]


def _with_gaps(rows: list[list[np.ndarray]]) -> np.ndarray:
    columns = len(rows[0])
    height, width = len(rows) * (SIDE + GAP) - GAP, columns * (SIDE + GAP) - GAP
    strip = np.full((height, width, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, frame in enumerate(row):
            top, left = y * (SIDE + GAP), x * (SIDE + GAP)
            strip[top : top + SIDE, left : left + SIDE] = frame
    return strip
