"""Where to look when a few clips have to stand for a whole video: short windows, spread evenly over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile

from deepfake_ssat.faces.scan import HELD_BYTES, frame_bytes
from deepfake_ssat.video import VideoFrame


def window_starts(num_frames: int, num_windows: int, span: int) -> list[int]:
    """The first frame of each window of ``span`` frames, in the middle of as many equal parts of the video.

    Fewer windows where they would overlap, but always one.
    """
    count = max(min(num_windows, num_frames // span), 1)
    middles = [(2 * part + 1) * num_frames / (2 * count) for part in range(count)]
    return [min(max(round(middle - span / 2), 0), max(num_frames - span, 0)) for middle in middles]


def frames_in_windows(
    frames: Iterator[VideoFrame], starts: list[int], span: int
) -> Iterator[Iterator[VideoFrame]]:
    """For each window its frames; those between windows are decoded and dropped unconverted.

    Where the video ends before a window that was planned, the last ``span`` frames stand in for it.
    """
    for start in starts:
        skipped: deque[VideoFrame] = deque(maxlen=span)
        for frame in frames:
            if frame.index >= start:
                skipped.clear()
                yield _window(frame, frames, start + span)
                break
            skipped.append(frame)
            while len(skipped) * frame_bytes(frame) > HELD_BYTES:
                skipped.popleft()
        else:
            if skipped:
                yield iter(skipped)
            return


def _window(first: VideoFrame, frames: Iterator[VideoFrame], stop: int) -> Iterator[VideoFrame]:
    yield first
    if first.index + 1 < stop:
        for frame in takewhile(lambda frame: frame.index < stop, frames):
            yield frame
            if frame.index + 1 >= stop:
                return
