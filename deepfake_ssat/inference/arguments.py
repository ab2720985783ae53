"""What callers hand to a detector, checked at the door: one line with value, rule and remedy.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepfake_ssat.config import NetworkSettings
from deepfake_ssat.errors import ConfigError, MissingFileError

TURNS = (0, 90, 180, 270)
"""Degrees, clockwise."""


def path_text(value: Any, what: str) -> str:
    """The path as text; raises ConfigError for anything that is none."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(text := os.fspath(value), str):
        raise ConfigError(f"{what} is {value!r}; give one path, as text or pathlib.Path")
    return text


def existing_file(value: Any, what: str) -> str:
    """The path of a file that is there; raises MissingFileError where it is not, ConfigError for no path."""
    text = path_text(value, what)
    if not os.path.exists(text):
        raise MissingFileError(f"{text} does not exist, or may not be read; check the path")
    return text


def existing_files(value: Any, what: str) -> list[str]:
    """The paths of files that are there; raises as ``existing_file`` does, before any work."""
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise ConfigError(f"{what} is {value!r}; give a path, several paths, or frames with their times")
    given = list(value)
    if isinstance(value, np.ndarray) or any(isinstance(item, np.ndarray) for item in given):
        raise ConfigError(f"{what} holds frames, which need their times; give fps=25, say, or seconds")
    return [existing_file(path, what) for path in given]


def check_clips(clips: Any) -> None:
    """Raises ConfigError unless it is a number from 1, or None for all."""
    if clips is not None and not _is_whole(clips, at_least=1):
        raise ConfigError(f"clips is {clips!r}; give a number from 1, or None for every clip")


def check_num_clips(num_clips: Any) -> None:
    """Raises ConfigError unless it is a number from 0."""
    if not _is_whole(num_clips, at_least=0):
        raise ConfigError(f"num_clips is {num_clips!r}; give the number of clips to explain, from 0")


def check_rotate(degrees: Any) -> None:
    """Raises ConfigError unless it is a turn by quarters."""
    if not _is_whole(degrees, at_least=0) or degrees not in TURNS:
        raise ConfigError(f"rotate is {degrees!r}; give 0, 90, 180 or 270, clockwise")


def check_pixels(pixels: Any, settings: NetworkSettings) -> None:
    """Raises ConfigError unless it is (B, T, H, W, C) uint8 of the model's frames and size."""
    wanted = (settings.frames, settings.image_size, settings.image_size, settings.channels)
    shown = f"(B, {', '.join(map(str, wanted))}) uint8"
    if not isinstance(pixels, (np.ndarray, torch.Tensor)):
        raise ConfigError(f"pixels are {type(pixels).__name__}; give an array or a tensor, {shown}")
    if pixels.ndim != 5 or tuple(pixels.shape[1:]) != wanted or pixels.dtype not in (np.uint8, torch.uint8):
        given = f"{tuple(pixels.shape)} {str(pixels.dtype).removeprefix('torch.')}"
        raise ConfigError(f"pixels are {given}, the model reads {shown}; cut and resize the clips so")


def checkpoint_path(value: Any) -> Path:
    """The file of weights; raises ConfigError for no path."""
    return Path(path_text(value, "checkpoint"))


def _is_whole(value: Any, at_least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= at_least
