"""Reads pictures that a caller has in memory, or makes on the way, as a video.

H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
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
        self._frames, self._fps, self._seconds = frames, fps, seconds
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        times = _times(self._fps, self._seconds)
        self._timed = _timed(self._frames, times, self._turn, as_many=self._fps is None)
        first = next(self._timed, None)
        if first is None:
            raise VideoError("there is no frame; give at least one")
        second = next(self._timed, None)
        self._waiting = [first] if second is None else [first, second]
        height, width = first[0].shape[:2]
        fps = self._fps or (1.0 / (second[1] - first[1]) if second else 1.0)
        num_frames = len(self._frames) if isinstance(self._frames, (Sequence, np.ndarray)) else None
        self.metadata = VideoMetadata(
            fps=fps,
            num_frames=num_frames,
            width=width,
            height=height,
            rotation=self._turn,
            codec="frames",
            duration_seconds=num_frames / fps if num_frames else None,
            untagged_turn=self._turn,
        )

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames once, in order."""
        for index, (pixels, seconds) in enumerate(chain(self._waiting, self._timed)):
            yield _frame(index, pixels, seconds)

    def turn(self, degrees: int) -> None:
        """Begin again at the first frame, every picture turned clockwise by so many more degrees.

        Raises VideoError for frames that come one by one: they are gone.
        """
        if any(isinstance(given, Iterator) for given in (self._frames, self._seconds)):
            raise VideoError(
                f"faces are found only with the frames turned by {degrees}° clockwise, and frames that come "
                "one by one cannot be read again; turn them first"
            )
        self._turn = (self._turn + degrees) % 360
        self._begin()

    def close(self) -> None:
        """There is no file to let go of."""

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _timed(
    frames: Iterable[np.ndarray], times: Iterator[float], turn: int, as_many: bool
) -> Iterator[tuple[np.ndarray, float]]:
    """Frames turned clockwise, with their times; raises ConfigError at the first that cannot be used."""
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
        yield np.ascontiguousarray(np.rot90(pixels, -turn // 90)), float(time)
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
