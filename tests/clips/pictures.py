"""Small made-up clips for the tests of this folder."""

import numpy as np


def colourful_frame(size: int = 64, seed: int = 0) -> np.ndarray:
    """(size, size, 3) uint8: colour gradients with some texture, neither flat nor symmetric."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    frame = np.stack([200 * rows + 20, 180 * columns + 40, 120 * rows * columns + 60], axis=-1)
    frame += np.random.default_rng(seed).normal(0, 12, frame.shape)
    return np.clip(frame, 0, 255).astype(np.uint8)


def static_clip(frames: int = 4, size: int = 64) -> np.ndarray:
    """(frames, size, size, 3) uint8 of one picture."""
    return np.repeat(colourful_frame(size)[None], frames, axis=0)


def moving_clip(frames: int = 4, size: int = 64) -> np.ndarray:
    """(frames, size, size, 3) uint8 of a picture that moves sideways."""
    frame = colourful_frame(size)
    return np.stack([np.roll(frame, 3 * step, axis=1) for step in range(frames)])
