"""Reads a video with decord in a process of its own, which a time limit can end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video.decord_child import END, ERROR, FRAME, HEADER
from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.pyav_reader import PyavReader

CHILD = (sys.executable, "-m", "deepfake_ssat.video.decord_child")
_TRANSPORT_STREAM_PACKETS = (188, 192, 204)


class DecordReader:
    """A ``VideoReader`` on decord; what the header says is taken from PyAV."""

    def __init__(self, path: Path, time_limit_seconds: float, child: Sequence[str] = CHILD) -> None:
        """Start decoding ``path``; raises VideoError where decord cannot read it or gives wrong frames."""
        if _is_transport_stream(path):
            raise VideoError(f"{path} is MPEG-TS, which decord reads wrongly; use the pyav reader")
        with PyavReader(path) as known:
            metadata = known.metadata
        self.warnings: list[str] = []
        self._path = path
        self._time_limit_seconds = time_limit_seconds
        self._hung = False
        self._started = False
        self._process = _start([*child, str(path)])
        try:
            self._frames = self._read_frames()
            first = next(self._frames, None)
            if first is None:
                raise VideoError(f"{path}: {self.warnings[-1]}; use the pyav reader")
        except BaseException:
            self.close()
            raise
        self._pending = [first]
        self.metadata = replace(metadata, width=first.width, height=first.height)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames once, in display order."""
        if self._started:
            raise RuntimeError(f"{self._path}: frames can be read once; open the video again")
        self._started = True
        while self._pending:
            yield self._pending.pop()
        yield from self._frames

    def close(self) -> None:
        """End the decoding process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> DecordReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_frames(self) -> Iterator[VideoFrame]:
        """Frames as they arrive; how the process ended becomes a warning."""
        num_frames = 0
        while True:
            kind, index, seconds, height, width = self._read_header()
            if kind != FRAME:
                break
            data = self._read(height * width * 3)
            if len(data) < height * width * 3:
                kind = None
                break
            pixels = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            num_frames += 1
            yield VideoFrame(index, seconds, width, height, partial(_shrink, pixels))
            del data, pixels
        if kind == END and num_frames:
            return
        self.warnings.append(f"{self._reason(kind, height)}, after {num_frames} frames")

    def _read_header(self) -> tuple[int | None, int, float, int, int]:
        header = self._read(HEADER.size)
        return HEADER.unpack(header) if len(header) == HEADER.size else (None, 0, 0.0, 0, 0)

    def _reason(self, kind: int | None, length: int) -> str:
        """Why there are no more frames; ``length`` is that of an error's text."""
        if self._hung:
            return f"decord hung: no frame for {self._time_limit_seconds:g} s, it was ended"
        if kind == ERROR:
            return f"decord failed: {self._read(length).decode(errors='replace')}"
        return "decord found no frames" if kind == END else "decord crashed"

    def _read(self, num_bytes: int) -> bytes:
        """Up to ``num_bytes`` bytes; fewer when the process has ended, if need be by the time limit."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(self._time_limit_seconds, self._end_hang)
        watchdog.start()
        try:
            return self._process.stdout.read(num_bytes)
        finally:
            watchdog.cancel()

    def _end_hang(self) -> None:
        self._hung = True
        self._process.kill()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the child where it finds this very package."""
    folders = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )


def _shrink(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W, 3) -> (height, width, 3)."""
    if (height, width) == pixels.shape[:2]:
        return pixels.copy()
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def _is_transport_stream(path: Path) -> bool:
    """Whether the file has the sync byte of MPEG-TS (or M2TS) at every packet's start."""
    with path.open("rb") as file:
        head = file.read(204 * 8)
    for size in _TRANSPORT_STREAM_PACKETS:
        starts = range(4 if size == 192 else 0, len(head), size)
        if len(starts) >= 4 and all(head[start] == 0x47 for start in starts):
            return True
    return False
