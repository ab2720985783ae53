"""A still picture as a clip: what a hand-held camera would have seen of it.

T frames, H W pixels. Movement and light are drawn once and change smoothly, the sensor's noise is new in each
frame, so that the frames of a photo are no more alike than those of a video.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SHIFT, TURN_DEGREES, ZOOM = 0.02, 2.0, 0.03
"""Standard deviations of the movement over a clip: in sides of the picture, degrees, and relative size."""
SMOOTHNESS_FRAMES = 6.0
"""Over about so many frames the camera changes its direction."""
LIGHT = 0.03
"""Standard deviation of the relative brightness over a clip; colours change by a third of it."""
NOISE_LEVELS = (0.5, 3.0)
"""Standard deviation of the sensor's noise in grey levels, drawn for each clip."""

NOISE_MARGIN = 32
"""Pixels by which the noise is larger than the frame: room for other parts of it."""


@dataclass(frozen=True)
class Camera:
    """How a still picture is seen over the frames of a clip."""

    matrices: np.ndarray
    """(T, 2, 3): picture pixels to frame pixels."""
    gains: np.ndarray
    """(T, 3): of red, green and blue."""
    noise: float
    """Standard deviation in grey levels."""


def still_clip(
    picture: np.ndarray, landmarks: np.ndarray, frames: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) uint8 with landmarks (5, 2) -> frames (T, H, W, 3) uint8 with theirs (T, 5, 2)."""
    camera = draw_camera(picture.shape[:2], frames, generator)
    height, width = picture.shape[:2]
    levels = np.arange(256, dtype=np.float32)
    pattern = _noise_pattern(height, width, camera.noise, generator)
    places = generator.integers(NOISE_MARGIN + 1, size=(frames, 2))
    clip = np.empty((frames, *picture.shape), np.uint8)
    for index in range(frames):
        table = np.clip(levels[:, None] * camera.gains[index] + 0.5, 0, 255).astype(np.uint8)[None]
        # Beside the picture there is nothing to see: mirrored, since black belongs to a video's border.
        seen = cv2.warpAffine(
            cv2.LUT(picture, table),
            camera.matrices[index],
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        top, left = places[index]
        noise = pattern[top : top + height, left : left + width]
        cv2.add(seen, noise, dst=clip[index], dtype=cv2.CV_8U)
    moved = np.einsum("tij,nj->tni", camera.matrices[:, :, :2], landmarks) + camera.matrices[:, None, :, 2]
    return clip, moved


def _noise_pattern(height: int, width: int, noise: float, generator: np.random.Generator) -> np.ndarray:
    """(H + margin, W + margin, 3) int16; every frame takes another part of it, which looks like new noise."""
    shape = (height + NOISE_MARGIN, width + NOISE_MARGIN, 3)
    return np.rint(noise * generator.standard_normal(shape, dtype=np.float32)).astype(np.int16)


def draw_camera(shape: tuple[int, int], frames: int, generator: np.random.Generator) -> Camera:
    """A movement about the picture as it is, for a picture of (H, W)."""
    height, width = shape
    dx, dy, turn, zoom = smooth_walks(4, frames, generator) * np.array(
        [[SHIFT * width], [SHIFT * height], [TURN_DEGREES], [ZOOM]]
    )
    matrices = np.empty((frames, 2, 3))
    for index in range(frames):
        center = ((width - 1) / 2, (height - 1) / 2)
        matrices[index] = cv2.getRotationMatrix2D(center, float(turn[index]), float(np.exp(zoom[index])))
        matrices[index, :, 2] += dx[index], dy[index]
    light = smooth_walks(4, frames, generator) * LIGHT
    gains = np.exp(light[:1] + light[1:] / 3).T
    return Camera(matrices, gains, float(generator.uniform(*NOISE_LEVELS)))


def smooth_walks(count: int, frames: int, generator: np.random.Generator) -> np.ndarray:
    """(count, T) smooth random curves with mean 0 over the draws and standard deviation about 1."""
    reach = int(np.ceil(3 * SMOOTHNESS_FRAMES))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHNESS_FRAMES) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    white = generator.standard_normal((count, frames + 2 * reach))
    return np.stack([np.convolve(row, kernel, mode="valid") for row in white])
