"""The five landmarks of each stored frame, in a small file beside its clip file.

T frames; (x, y) in pixels of the stored crop.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from deepfake_ssat.errors import ManifestError
from deepfake_ssat.outputs import write_file

LANDMARKS_SUFFIX = ".landmarks.npy"
NUM_LANDMARKS = 5

AnyPath = TypeVar("AnyPath", bound=PurePath)


def landmarks_path(clip_path: AnyPath) -> AnyPath:
    """Where the landmarks of a clip file lie: ``track000_00.mp4`` -> ``track000_00.landmarks.npy``."""
    return clip_path.with_name(clip_path.stem + LANDMARKS_SUFFIX)


def write_landmarks(clip_path: Path, landmarks: np.ndarray) -> None:
    """Puts the landmarks (T, 5, 2) of all frames beside their clip file, in one step."""
    if landmarks.ndim != 3 or landmarks.shape[1:] != (NUM_LANDMARKS, 2):
        raise ValueError(f"landmarks are {landmarks.shape}, they must be (T, {NUM_LANDMARKS}, 2)")
    path = landmarks_path(clip_path)
    data = io.BytesIO()
    np.save(data, landmarks.astype("<f4"), allow_pickle=False)
    write_file(path, data.getvalue())


def read_landmarks(
    clip_path: str | os.PathLike[str], indices: Sequence[int] | slice = slice(None)
) -> np.ndarray:
    """The landmarks of a clip file's frames, all of them if none are named: (T, 5, 2) float32.

    Raises ManifestError, one line, where they were not stored or are damaged.
    """
    path = landmarks_path(Path(clip_path))
    try:
        stored = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ManifestError(
            f"{path} does not exist: the clips were made before landmarks were stored; "
            "run the same preprocess command again"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from None
    if stored.ndim != 3 or stored.shape[1:] != (NUM_LANDMARKS, 2):
        raise _damaged(path, f"its shape is {stored.shape}")
    try:
        return stored[list(indices) if not isinstance(indices, slice) else indices]
    except IndexError:
        raise _damaged(path, f"it has {len(stored)} frames, frame {max(indices)} was asked for") from None  # pyright: ignore[reportArgumentType]


def _damaged(path: Path, reason: str) -> ManifestError:
    return ManifestError(f"{path} is damaged ({reason}); delete it and run preprocess again to restore it")
