"""Shrinking keeps the aspect and never enlarges; nothing is converted before it is asked for."""

import numpy as np
import pytest

from deepfake_ssat.video.frame import VideoFrame, shrunk_size


@pytest.mark.parametrize(
    ("size", "longest_side", "expected"),
    [
        ((1920, 1080), 640, (640, 360)),
        ((1080, 1920), 640, (360, 640)),
        ((320, 240), 640, (320, 240)),
        ((320, 240), None, (320, 240)),
        ((1000, 1), 10, (10, 1)),
    ],
)
def test_shrunk_size_keeps_aspect_and_never_enlarges(size, longest_side, expected):
    width, height = size
    assert shrunk_size(width, height, longest_side) == expected


def test_longest_side_below_one_is_refused():
    with pytest.raises(ValueError, match="longest_side is 0"):
        shrunk_size(10, 10, 0)


def test_frame_converts_only_when_asked():
    asked = []

    def convert(width, height):
        asked.append((width, height))
        return np.zeros((height, width, 3), np.uint8)

    frame = VideoFrame(0, 0.0, 100, 50, convert)
    assert asked == []
    assert frame.rgb(20).shape == (10, 20, 3)
    assert asked == [(20, 10)]
