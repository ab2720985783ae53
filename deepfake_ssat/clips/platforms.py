"""What cameras and platforms do to faces: light, then resolution, blur, noise, JPEG, H.264 in any order.

T frames, H W pixels, C channels. One draw serves all frames of a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.video.perturbation.h264 import reencode
from deepfake_ssat.video.perturbation.pictures import compress_jpeg

LIGHT, UNTOUCHED = 0.7, 1 / 6
"""Probabilities: that the light changes; that nothing else does."""
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
SIDES = (56, 200)
"""Pixels that a side may be brought down to; small and large ones are as likely, by their ratio."""
STAYS_SMALL = 0.5
"""Probability that the steps behind see the small picture, instead of one enlarged again."""
BLUR = (0.002, 0.014)
"""Sigma in sides of the picture."""
MOTION, MOTION_PIXELS = 0.25, (3.0, 9.0)
"""Probability that a blur is one of movement, and its length."""
NOISE = (1.5, 14.0)
"""Standard deviation in grey levels; in half of the draws all channels have the same."""
JPEG_QUALITY, H264_CRF = (25, 92), (22, 36)
FPS, PRESET = 25.0, "veryfast"
"""Of H.264: the fastest preset with all that shapes the picture in files from elsewhere."""

Degradation = Callable[[list[np.ndarray]], list[np.ndarray]]
"""Frames (H, W, 3) uint8 -> as many, of any one size."""


class PlatformDegradations:
    """Degrades a clip, and brings it to ``size`` x ``size`` pixels."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(T, H, W, 3) uint8 -> (T, size, size, 3); what is drawn does not depend on the pixels."""
        frames = list(pixels)
        for change in draw_degradations(generator):
            frames = change(frames)
        return resize_clip(np.stack(frames), self._size)


def draw_degradations(generator: np.random.Generator) -> list[Degradation]:
    """Light first, then the others in any order; one clip in six keeps what the light left."""
    changes = [_draw_light(generator)] if generator.random() < LIGHT else []
    if generator.random() < UNTOUCHED:
        return changes
    drawn = [draw(generator) for draw, chance in CHANCES.items() if generator.random() < chance]
    return changes + [drawn[index] for index in generator.permutation(len(drawn))]


def _draw_light(generator: np.random.Generator) -> Degradation:
    """Brightness, contrast and gamma; sometimes a tint, seldom no colour."""
    gain, offset = generator.uniform(0.75, 1.25), generator.uniform(-25, 25)
    gamma = np.exp(generator.normal(0, 0.15))
    tint = generator.uniform(-10, 10, 3) if generator.random() < 0.3 else np.zeros(3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** gamma * gain + offset + tint
    table = np.clip(levels, 0, 255).astype(np.uint8)[None]
    is_grey = generator.random() < 0.05
    return partial(_each, partial(_relight, table=table, is_grey=is_grey))


def _relight(picture: np.ndarray, table: np.ndarray, is_grey: bool) -> np.ndarray:
    if is_grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.LUT(picture, table)


def _draw_resolution(generator: np.random.Generator) -> Degradation:
    side = int(_log_uniform(generator, *SIDES))
    down, up = (INTERPOLATIONS[index] for index in generator.integers(len(INTERPOLATIONS), size=2))
    stays_small = generator.random() < STAYS_SMALL
    return partial(_each, partial(_shrink, side=side, down=down, up=None if stays_small else up))


def _shrink(picture: np.ndarray, side: int, down: int, up: int | None) -> np.ndarray:
    height, width = picture.shape[:2]
    if side >= height:
        return picture
    small = cv2.resize(picture, (side, side), interpolation=down)
    return small if up is None else cv2.resize(small, (width, height), interpolation=up)


def _draw_blur(generator: np.random.Generator) -> Degradation:
    """Out of focus, or of a movement."""
    part = _log_uniform(generator, *BLUR)
    if generator.random() >= MOTION:
        return partial(
            _each, lambda picture: cv2.GaussianBlur(picture, (0, 0), max(part * len(picture), 0.3))
        )
    angle, length = generator.uniform(0, np.pi), generator.uniform(*MOTION_PIXELS)
    steps = np.linspace(-length / 2, length / 2, 33)
    edges = np.linspace(-4.5, 4.5, 10)
    kernel = np.histogram2d(steps * np.sin(angle), steps * np.cos(angle), bins=(edges, edges))[0]
    kernel = (kernel / kernel.sum()).astype(np.float32)
    return partial(_each, lambda picture: cv2.filter2D(picture, -1, kernel))


def _draw_noise(generator: np.random.Generator) -> Degradation:
    deviation = _log_uniform(generator, *NOISE)
    channels = 1 if generator.random() < 0.5 else 3
    seed = int(generator.integers(2**31))

    def change(frames: list[np.ndarray]) -> list[np.ndarray]:
        shape = (*frames[0].shape[:2], channels)
        noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
        added = np.float32(deviation) * noise + np.float32(0.5)
        return [np.clip(picture + added, 0, 255).astype(np.uint8) for picture in frames]

    return change


def _draw_jpeg(generator: np.random.Generator) -> Degradation:
    quality = int(generator.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    return partial(_each, lambda picture: compress_jpeg(picture, quality, generator))


def _draw_h264(generator: np.random.Generator) -> Degradation:
    crf = int(generator.integers(H264_CRF[0], H264_CRF[1] + 1))
    return lambda frames: list(reencode(frames, crf, FPS, PRESET))


CHANCES: dict[Callable[[np.random.Generator], Degradation], float] = {
    _draw_resolution: 0.4,
    _draw_blur: 0.25,
    _draw_noise: 0.25,
    _draw_jpeg: 0.5,
    _draw_h264: 0.08,
}
"""How often each is among the degradations of a clip."""


def _each(change: Callable[[np.ndarray], np.ndarray], frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [change(picture) for picture in frames]


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))
