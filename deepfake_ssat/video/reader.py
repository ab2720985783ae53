"""Opens a video with the reader that was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.decord_reader import DecordReader
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.pyav_reader import PyavReader

TIME_LIMIT_SECONDS = 30.0


class VideoReader(Protocol):
    """A video whose frames can be read once, in order, from the start; a context manager."""

    metadata: VideoMetadata
    warnings: list[str]
    """What was wrong with the file, in words; complete once all frames were read."""

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames in display order; a second call is a mistake and raises."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...

    def __enter__(self) -> VideoReader: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_video(
    path: str | os.PathLike[str],
    reader: Literal["pyav", "decord"] = "pyav",
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> VideoReader:
    """Open a video file; one frame has been decoded when this returns.

    ``reader="decord"`` decodes in a process of its own, which is ended when no frame arrives for
    ``time_limit_seconds``: on damaged files decord can hang for ever. Raises VideoError, one line, when the
    file is missing, is not a video, has no picture track or gives not one frame. A damaged video yields the
    frames that decode, and its ``warnings`` tell what was lost.
    """
    path = Path(path)
    _check_file(path)
    if reader == "pyav":
        return PyavReader(path)
    if reader == "decord":
        return DecordReader(path, time_limit_seconds)
    raise VideoError(f"reader {reader!r} is not known; choose pyav or decord")


def _check_file(path: Path) -> None:
    """Refuse what is not a regular file with something in it: pipes and devices may never end."""
    if path.is_dir():
        raise VideoError(f"{path} is a folder; give a video file")
    if not path.exists():
        raise VideoError(f"{path} does not exist; check the path")
    if not path.is_file():
        raise VideoError(f"{path} is a device or pipe; save the video to a file first")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); copy or download it again")
