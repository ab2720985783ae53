"""Reads pictures that a caller has in memory, or makes on the way, as a video.

H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from types import TracebackType

import cv2
import numpy as np

from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.frame import VideoFrame


class FrameReader:
    """A ``VideoReader`` over frames (H, W, 3) uint8 RGB of one size, in an array (T, H, W, 3) or one by one.

    Their times follow from ``fps``, or are ``seconds``, one a frame and ascending. Raises VideoError where
    there is no frame, ConfigError for frames or times that are not as described: the first ones at once, the
    others as they come.
    """

    def __init__(
        self,
        frames: np.ndarray | Iterable[np.ndarray],
        *,
        fps: float | None = None,
        seconds: Iterable[float] | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self._timed = _timed(frames, _times(fps, seconds), as_many=fps is None)
        self._first = next(self._timed, None)
        if self._first is None:
            raise VideoError("there is no frame; give at least one")
        self._second = next(self._timed, None)
        height, width = self._first[0].shape[:2]
        num_frames = len(frames) if isinstance(frames, np.ndarray) else None
        if fps is None:
            fps = 1.0 / (self._second[1] - self._first[1]) if self._second else 1.0
        self.metadata = VideoMetadata(
            fps=fps,
            num_frames=num_frames,
            width=width,
            height=height,
            rotation=0,
            codec="frames",
            duration_seconds=num_frames / fps if num_frames else None,
        )

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames once, in order."""
        index = count()
        for timed in (self._first, self._second):
            if timed is not None:
                yield _frame(next(index), *timed)
        self._first = self._second = None
        for timed in self._timed:
            yield _frame(next(index), *timed)

    def close(self) -> None:
        """There is no file to let go of."""

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _timed(
    frames: Iterable[np.ndarray], times: Iterator[float], as_many: bool
) -> Iterator[tuple[np.ndarray, float]]:
    """Raises ConfigError at the first frame or time that cannot be used."""
    before, size = -np.inf, None
    for number, frame in enumerate(frames):
        pixels, time = np.asarray(frame), next(times, None)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ConfigError(
                f"frame {number} is {pixels.dtype} of shape {pixels.shape}; give RGB pictures (H, W, 3) uint8"
            )
        size = size or pixels.shape
        if pixels.shape != size:
            raise ConfigError(
                f"frame {number} has shape {pixels.shape}, the first {size}; give all in one size"
            )
        if time is None:
            raise ConfigError(f"seconds has {number} times and there are more frames; give one a frame")
        if not before < time < np.inf:
            raise ConfigError(
                f"frame {number} is at {time} s, the one before at {before} s; times must ascend"
            )
        before = time
        yield pixels, float(time)
    if as_many and next(times, None) is not None:
        raise ConfigError("seconds has more times than there are frames; give one a frame")


def _times(fps: float | None, seconds: Iterable[float] | None) -> Iterator[float]:
    if (fps is None) == (seconds is None):
        raise ConfigError("frames need either fps or seconds; give one of them, such as fps=25")
    if seconds is not None:
        return iter(seconds)
    assert fps is not None
    if not 0 < fps < np.inf:
        raise ConfigError(f"fps is {fps}; give frames per second, such as 25")
    return (number / fps for number in count())


def _frame(index: int, pixels: np.ndarray, seconds: float) -> VideoFrame:
    height, width = pixels.shape[:2]

    def convert(wanted_width: int, wanted_height: int) -> np.ndarray:
        if (wanted_width, wanted_height) == (width, height):
            return pixels
        return cv2.resize(pixels, (wanted_width, wanted_height), interpolation=cv2.INTER_AREA)

    return VideoFrame(index, seconds, width, height, convert)
