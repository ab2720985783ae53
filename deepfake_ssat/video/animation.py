"""Reads an animated WebP, which FFmpeg cannot, as the video that it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from PIL import Image

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.container import MAX_PIXELS
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.orientation import Orientation

DEFAULT_MILLISECONDS = 100
"""Of frames with no duration, as in browsers."""
_HEADER_BYTES, _FLAGS, _ANIMATED = 21, 20, 0x02


def is_animated_webp(path: Path) -> bool:
    """By the extended header of the WebP container."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    is_extended = header[:4] == b"RIFF" and header[8:16] == b"WEBPVP8X" and len(header) == _HEADER_BYTES
    return is_extended and bool(header[_FLAGS] & _ANIMATED)


class AnimationReader:
    """A ``VideoReader`` on Pillow."""

    def __init__(self, path: Path, turn: int = 0) -> None:
        """Open ``path`` and read the times of its frames; raises VideoError."""
        self.warnings: list[str] = []
        self._path = path
        self._turn = turn
        self._started = False
        try:
            self._picture = Image.open(path)
            self._starts = self._read_starts()
        except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise VideoError(f"{path} cannot be read as an animation ({error}); copy it again") from None
        width, height = self._picture.size
        if width * height > MAX_PIXELS:
            self.close()
            raise VideoError(
                f"{path} is of {width}x{height}, at most {MAX_PIXELS:,} pixels are read; scale it down"
            )
        self.metadata = self._metadata()

    def turn(self, degrees: int) -> None:
        """Begin again at the first frame, every picture turned clockwise by so many more degrees."""
        self._turn = (self._turn + degrees) % 360
        self._started = False
        self.metadata = self._metadata()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames once, in display order; what cannot be read ends the video."""
        if self._started:
            raise RuntimeError(f"{self._path}: frames can be read once; open the video again")
        self._started = True
        orientation = Orientation().turned(self._turn)
        for index, start in enumerate(self._starts[:-1]):
            try:
                self._picture.seek(index)
                pixels = orientation.apply(np.array(self._picture.convert("RGB")))
            except (OSError, EOFError, ValueError, SyntaxError) as error:
                self.warnings.append(f"damaged animation: frame {index} cannot be read ({error})")
                return
            yield VideoFrame(index, start, pixels.shape[1], pixels.shape[0], partial(_resized, pixels))

    def close(self) -> None:
        """Let go of the file."""
        self._picture.close()

    def __enter__(self) -> AnimationReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_starts(self) -> list[float]:
        """When each frame begins, and the last one ends, in seconds."""
        starts = [0.0]
        for index in range(getattr(self._picture, "n_frames", 1)):
            self._picture.seek(index)
            self._picture.load()  # The duration is known only then.
            milliseconds = self._picture.info.get("duration") or DEFAULT_MILLISECONDS
            starts.append(starts[-1] + milliseconds / 1000)
        return starts

    def _metadata(self) -> VideoMetadata:
        width, height = Orientation().turned(self._turn).size(*self._picture.size)
        num_frames, seconds = len(self._starts) - 1, self._starts[-1]
        return VideoMetadata(
            num_frames / seconds, num_frames, width, height, self._turn, "webp", seconds, self._turn
        )


def _resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
