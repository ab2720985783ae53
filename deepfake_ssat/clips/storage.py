"""Writes and reads one clip file: RGB H.264 in MP4, lossless or not, seekable, opened by ordinary players.

A picture is read as a clip of one frame: face crops that came as such stay what they are.

T frames, H W pixels. Lossless by default, as compression adds traces of its own; a key frame every 16 frames
and no B-frames, so that any 16 frames cost at most 31 decoded ones. `tools/benchmarks/storage.py`
compares the candidates.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from deepfake_ssat.errors import ManifestError
from deepfake_ssat.video.frame_folder import PICTURE_SUFFIXES

try:
    import decord
except ImportError:  # No wheel for arm64: PyAV reads the clips there, the same pixels more slowly.
    decord = None

KEY_FRAME_INTERVAL = 16
CODEC = "libx264rgb"
CODEC_OPTIONS = {"g": str(KEY_FRAME_INTERVAL), "bf": "0"}
LOSSLESS = {"qp": "0", "preset": "ultrafast"}
LOSSY_PRESET = "veryfast"
"""A third of the room that the fastest preset takes, for twice its time."""


class ClipWriter:
    """Writes one clip file; it has its name only once it is complete.

    Until ``close`` the frames lie in ``<name>.part`` beside it. As a context manager it closes at the end,
    and leaves nothing behind after an exception.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float, crf: int = 0) -> None:
        """Prepare to write ``path`` at ``fps`` frames a second; missing folders are made.

        ``crf`` is x264's rate factor, 0 for lossless.
        """
        if not 0 < fps < 1000:
            raise ValueError(f"fps is {fps}, it must lie between 0 and 1000")
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._rate = Fraction(fps).limit_denominator(1001)
        self._quality = {"crf": str(crf), "preset": LOSSY_PRESET} if crf else LOSSLESS
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._num_frames = 0

    def write(self, pixels: np.ndarray) -> None:
        """Append (T, H, W, 3) uint8 RGB frames; every call must bring the same H and W."""
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"pixels are {pixels.shape} {pixels.dtype}, they must be (T, H, W, 3) uint8")
        if self._container is None or self._stream is None:
            self._container, self._stream = self._open(*pixels.shape[1:3])
        if pixels.shape[1:3] != (self._stream.height, self._stream.width):
            raise ValueError(
                f"frames of {pixels.shape[2]}x{pixels.shape[1]} in a clip of "
                f"{self._stream.width}x{self._stream.height}"
            )
        for picture in pixels:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = self._num_frames, 1 / self._rate
            self._container.mux(self._stream.encode(frame))
            self._num_frames += 1

    def close(self) -> None:
        """Finish the file and give it its name, in one step that a crash cannot halve."""
        if self._container is None or self._stream is None:
            raise ValueError(f"no frame was written to {self.path}")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self._part, self.path)

    def _open(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(str(self._part), "w", format="mp4")
        stream = container.add_stream(CODEC, rate=self._rate, options=CODEC_OPTIONS | self._quality)
        stream.height, stream.width, stream.pix_fmt = height, width, "rgb24"
        stream.codec_context.thread_count = 1  # The same bytes on every machine.
        return container, stream

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
            elif self._container is not None:
                self._container.close()
        finally:
            self._part.unlink(missing_ok=True)


def read_frames(path: str | os.PathLike[str], indices: Sequence[int]) -> np.ndarray:
    """The frames ``indices`` of a clip file, in the given order, repeats allowed: (T, H, W, 3) uint8 RGB.

    Raises ManifestError, one line, when the file is missing, damaged or too short.
    """
    path = Path(path)
    is_picture = path.suffix.lower() in PICTURE_SUFFIXES
    if len(indices) == 0 or min(indices) < 0:
        raise ValueError(f"frame indices {list(indices)[:3]} must be one or more numbers from 0 on")
    if is_picture:
        _require_frames(path, 1, indices)
        return np.stack([_read_picture(path)] * len(indices))
    # One frame is faster by PyAV: the file is opened once, decord needs the count of frames beforehand.
    if decord is not None and len(indices) > 1:
        _require_frames(path, count_frames(path), indices)
        try:
            return _read_with_decord(path, indices)
        except (decord.DECORDError, RuntimeError):
            pass  # It fails on damage and on some narrow pictures (16 or 24 wide): PyAV can tell which it is.
    return _read_with_pyav(path, indices)


def count_frames(path: str | os.PathLike[str]) -> int:
    """How many frames a clip file holds; raises ManifestError when it is missing or damaged."""
    path = Path(path)
    _require_file(path)
    try:
        with av.open(str(path)) as container:
            return container.streams.video[0].frames
    except (FFmpegError, IndexError) as error:
        raise _damaged(path, error) from None


def _read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a face crop that was taken as it came."""
    _require_file(path)
    try:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise _damaged(path, error) from None
    if pixels is None:
        raise _damaged(path, ValueError("no picture"))
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _read_with_decord(path: Path, indices: Sequence[int]) -> np.ndarray:
    """Random access by decord, opened anew each time: its readers do not survive a fork."""
    assert decord is not None
    clip = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    return clip.get_batch(list(indices)).asnumpy()


def _read_with_pyav(path: Path, indices: Sequence[int]) -> np.ndarray:
    """The same by PyAV: seek to the key frame before each run of frames, decode up to it."""
    _require_file(path)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            _require_frames(path, stream.frames, indices)
            pictures = _decode_indices(container, stream, sorted(set(indices)))
    except (FFmpegError, IndexError) as error:
        raise _damaged(path, error) from None
    missing = [index for index in indices if index not in pictures]
    if missing:
        raise _damaged(path, ValueError(f"frame {missing[0]} cannot be decoded"))
    return np.stack([pictures[index] for index in indices])


def _decode_indices(
    container: InputContainer, stream: VideoStream, wanted: list[int]
) -> dict[int, np.ndarray]:
    """Decode the ascending frame numbers ``wanted``, seeking over gaps longer than a key-frame interval."""
    assert stream.average_rate is not None
    assert stream.time_base is not None
    pictures: dict[int, np.ndarray] = {}
    frames, position = iter(()), None
    for index in wanted:
        if position is None or index - position > KEY_FRAME_INTERVAL:
            container.seek(round(index / (stream.average_rate * stream.time_base)), stream=stream)
            frames = container.decode(stream)
        for frame in frames:
            position = round((frame.pts or 0) * stream.time_base * stream.average_rate)
            if position >= index:
                pictures[position] = frame.to_ndarray(format="rgb24")
                break
    return pictures


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ManifestError(f"{path} does not exist; run preprocess again to restore it")


def _require_frames(path: Path, num_frames: int, indices: Sequence[int]) -> None:
    if max(indices) >= num_frames:
        raise ManifestError(
            f"{path} has {num_frames} frames, frame {max(indices)} was asked for; run preprocess again"
        )


def _damaged(path: Path, error: Exception) -> ManifestError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return ManifestError(f"{path} is damaged ({reason}); delete it and run preprocess again to restore it")
