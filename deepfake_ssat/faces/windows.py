"""Where to look when a few clips have to stand for a whole video: short windows, spread evenly over it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

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
    """For each window its frames; those between windows are decoded and dropped unconverted."""
    for start in starts:
        first = next((frame for frame in frames if frame.index >= start), None)
        if first is None:
            return
        yield _window(first, frames, start + span)


def _window(first: VideoFrame, frames: Iterator[VideoFrame], stop: int) -> Iterator[VideoFrame]:
    yield first
    if first.index + 1 < stop:
        for frame in takewhile(lambda frame: frame.index < stop, frames):
            yield frame
            if frame.index + 1 >= stop:
                return
