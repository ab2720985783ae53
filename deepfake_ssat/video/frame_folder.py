"""Reads a folder of numbered pictures, a video's extracted frames, as the video they came from.

The number in a picture's name is its frame's index: missing pictures are gaps, never renumbered away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.picture import FPS, load_picture
from deepfake_ssat.video.reader import VideoReader, open_video

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LAST_NUMBER = re.compile(r"(?:.*\D)?(\d+)\D*")
"""Of ``0001``, ``frame_0001`` or ``clip2_frame_0001_face``."""


class FrameFolderReader:
    """A ``VideoReader`` of a folder; a picture is decoded where its frame is asked for.

    Raises VideoError where the folder has no numbered picture, or two of one number; a damaged picture raises
    it when it is looked at.
    """

    def __init__(self, folder: Path) -> None:
        self._pictures = numbered_pictures(folder)
        first = next(iter(self._pictures.values()))
        pixels, codec = load_picture(first)
        height, width = pixels.shape[:2]
        last = max(self._pictures)
        self.metadata = VideoMetadata(FPS, last + 1, width, height, 0, codec, (last + 1) / FPS)
        self.warnings = [f"frames are pictures without times: {FPS:g} a second are assumed"]
        self._turns = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        """The pictures by number."""
        width, height = self.metadata.width, self.metadata.height
        for index, path in self._pictures.items():
            yield VideoFrame(index, index / FPS, width, height, partial(self._convert, path))

    def turn(self, degrees: int) -> None:
        """Begin again at the first frame, every picture turned clockwise by so many more degrees."""
        self._turns = (self._turns + degrees // 90) % 4
        data = self.metadata
        width, height = (data.height, data.width) if degrees % 180 else (data.width, data.height)
        self.metadata = VideoMetadata(
            data.fps, data.num_frames, width, height, 90 * self._turns, data.codec, data.duration_seconds
        )

    def close(self) -> None:
        """Each picture's file was closed when it was loaded."""

    def __enter__(self) -> FrameFolderReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _convert(self, path: Path, width: int, height: int) -> np.ndarray:
        pixels = np.ascontiguousarray(np.rot90(load_picture(path)[0], -self._turns))
        if pixels.shape[:2] == (height, width):
            return pixels
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def numbered_pictures(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by the last number in their names, ascending."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = LAST_NUMBER.fullmatch(path.stem)
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.name.startswith(".") or match is None:
            continue
        number = int(match.group(1))
        if number in found:
            raise VideoError(
                f"{folder} has two pictures of number {number}, {found[number].name} and {path.name}; "
                "keep one"
            )
        found[number] = path
    if not found:
        raise VideoError(f"{folder} holds no numbered picture such as 0001.png; give a video's frames")
    return dict(sorted(found.items()))


def open_video_or_frames(path: Path) -> VideoReader:
    """A video file, or the folder of its frames; raises VideoError as ``open_video``."""
    return FrameFolderReader(path) if path.is_dir() else open_video(path)
