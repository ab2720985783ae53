"""Changes of colour, sharpness and texture, each drawn once and then the same for every frame of a clip."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Change = Callable[[np.ndarray], np.ndarray]
"""(H, W, 3) uint8 RGB -> the same shape and type."""


def draw_mismatch(generator: np.random.Generator, face_width: float) -> Change:
    """Colour, then sharpness: what differs between a pasted face and its surroundings."""
    color, sharpness = draw_color(generator), draw_sharpness(generator, face_width)
    return lambda frame: sharpness(color(frame))


def draw_color(generator: np.random.Generator) -> Change:
    """A shift of RGB, of hue, saturation and value, or of brightness and contrast; some or all of them."""
    gain = np.ones(3)
    offset = np.zeros(3)
    chosen = generator.random(3) < (0.5, 0.3, 0.5)
    if not chosen.any():
        chosen[generator.integers(3)] = True
    if chosen[0]:
        offset += generator.uniform(-18.0, 18.0, 3)
    if chosen[2]:
        contrast = 1.0 + generator.uniform(-0.12, 0.12)
        gain *= contrast
        offset += 128.0 * (1.0 - contrast) + generator.uniform(-16.0, 16.0)
    levels = np.arange(256)
    table = np.stack([np.clip(levels * gain[c] + offset[c], 0, 255) for c in range(3)], axis=-1)
    table = np.round(table).astype(np.uint8)[None]
    hue, saturation = (
        (generator.uniform(-5.0, 5.0), 1.0 + generator.uniform(-0.25, 0.25)) if chosen[1] else (0.0, 1.0)
    )

    def change(frame: np.ndarray) -> np.ndarray:
        frame = cv2.LUT(frame, table)
        if not chosen[1]:
            return frame
        hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = ((hsv[..., 0].astype(np.float32) + hue) % 180.0).astype(np.uint8)
        hsv[..., 1] = np.clip(hsv[..., 1].astype(np.float32) * saturation, 0, 255).astype(np.uint8)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return change


def draw_sharpness(generator: np.random.Generator, face_width: float) -> Change:
    """Softer by a lower resolution or a blur, sharper by unsharp masking, or unchanged."""
    kind = generator.choice(["lower", "blur", "sharpen", "none"], p=[0.35, 0.2, 0.3, 0.15])
    if kind == "lower":
        return at_resolution(generator.uniform(0.25, 0.7), int(generator.integers(2)))
    if kind == "blur":
        sigma = generator.uniform(0.5, max(0.012 * face_width, 0.8))
        return lambda frame: cv2.GaussianBlur(frame, (0, 0), float(sigma))
    if kind == "sharpen":
        sigma, amount = generator.uniform(0.6, 2.0), generator.uniform(0.3, 1.2)
        return lambda frame: cv2.addWeighted(
            frame, 1.0 + amount, cv2.GaussianBlur(frame, (0, 0), float(sigma)), -amount, 0.0
        )
    return lambda frame: frame


def at_resolution(factor: float, method: int = 0) -> Change:
    """Down to ``factor`` of the sides and up again; method 0 interpolates linearly, 1 cubically."""
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[method]

    def change(frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        small = (max(round(width * factor), 2), max(round(height * factor), 2))
        return cv2.resize(
            cv2.resize(frame, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=up
        )

    return change


def draw_smoothing(generator: np.random.Generator, face_width: float) -> Change:
    """Texture lost and edges kept: a median or bilateral filter, partly."""
    amount = generator.uniform(0.6, 1.0)
    if generator.random() < 0.4:
        size = 3 + 2 * int(face_width > 120) + 2 * int(generator.integers(2))
        size = min(size, 5) if face_width < 90 else size
        return lambda frame: cv2.addWeighted(cv2.medianBlur(frame, size), amount, frame, 1.0 - amount, 0.0)
    reach = int(np.clip(0.035 * face_width, 3, 7))
    tolerance = generator.uniform(15.0, 45.0)
    return lambda frame: cv2.addWeighted(
        cv2.bilateralFilter(frame, reach, tolerance, reach), amount, frame, 1.0 - amount, 0.0
    )


def matched_color(frame: np.ndarray, frame_mask: np.ndarray, like: np.ndarray, mask: np.ndarray) -> Change:
    """Gives pictures the mean and spread, per Lab channel, that ``like`` has inside ``mask``.

    ``frame`` inside ``frame_mask`` (both masks bool, (H, W)) tells what they had before.
    """
    given = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)[frame_mask].astype(np.float32)
    wanted = cv2.cvtColor(like, cv2.COLOR_RGB2LAB)[mask].astype(np.float32)
    gain = np.clip((wanted.std(axis=0) + 1.0) / (given.std(axis=0) + 1.0), 0.5, 2.0)
    offset = wanted.mean(axis=0) - gain * given.mean(axis=0)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip(levels * gain + offset, 0, 255).round().astype(np.uint8)[None]

    def change(picture: np.ndarray) -> np.ndarray:
        lab = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), table)
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)

    return change
