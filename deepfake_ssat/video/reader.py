"""The one interface of everything that frames are read from, and the door to video files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.animation import AnimationReader, is_animated_webp
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.picture import PictureReader, is_still
from deepfake_ssat.video.pyav_reader import PyavReader


class VideoReader(Protocol):
    """A video whose frames can be read once, in order, from the start; a context manager."""

    metadata: VideoMetadata
    warnings: list[str]
    """What was wrong with the file, or not shown as it is stored; complete once all frames were read."""

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames in display order; a second call is a mistake and raises."""
        ...

    def turn(self, degrees: int) -> None:
        """Begin again at the first frame, every picture turned clockwise by 90, 180 or 270 more degrees."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...

    def __enter__(self) -> VideoReader: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_video(path: str | os.PathLike[str], turn: int = 0) -> VideoReader:
    """Open a video file; its packets were counted and one frame was decoded when this returns.

    Every picture is turned clockwise by ``turn`` degrees (0, 90, 180 or 270) after its tag was followed.
    Raises VideoError, one line, when the file is missing, is not a video, has no picture track or gives not
    one frame. A damaged video yields the frames that decode, and its ``warnings`` tell what was lost.
    """
    path = Path(path)
    _check_file(path)
    return AnimationReader(path, turn) if is_animated_webp(path) else PyavReader(path, turn)


def open_video_or_picture(path: str | os.PathLike[str], turn: int = 0) -> VideoReader:
    """The same, and a single picture as a video of one frame."""
    path = Path(path)
    _check_file(path)
    return PictureReader(path, turn) if is_still(path) else open_video(path, turn)


def _check_file(path: Path) -> None:
    """Refuse what is not a regular file with something in it: pipes and devices may never end."""
    if path.is_dir():
        raise VideoError(f"{path} is a folder; give a video file")
    if not path.exists():
        raise VideoError(f"{path} does not exist; check the path")
    if not path.is_file():
        raise VideoError(f"{path} is a device or pipe; save the video to a file first")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path} may not be read; change its permissions")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); copy or download it again")
