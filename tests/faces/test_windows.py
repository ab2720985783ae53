from itertools import pairwise

import numpy as np
import pytest

from deepfake_ssat.faces.windows import frames_in_windows, window_starts
from deepfake_ssat.video import VideoFrame


def frames(indices):
    for index in indices:
        yield VideoFrame(
            index, index / 25, 8, 8, lambda width, height: np.zeros((height, width, 3), np.uint8)
        )


@pytest.mark.parametrize(("total", "count"), [(300, 4), (100, 3), (17, 1), (64, 4), (1000, 50)])
def test_windows_lie_inside_the_video_and_do_not_overlap(total, count):
    starts = window_starts(total, count, 16)
    assert starts[0] >= 0
    assert starts[-1] + 16 <= total
    assert all(b - a >= 16 for a, b in pairwise(starts))


def test_windows_are_in_the_middles_of_equal_parts():
    assert window_starts(400, 4, 16) == [42, 142, 242, 342]


def test_frames_between_windows_are_left_out():
    windows = frames_in_windows(frames(range(50)), [3, 20], 4)
    assert [[frame.index for frame in window] for window in windows] == [[3, 4, 5, 6], [20, 21, 22, 23]]


def test_neighbouring_windows_lose_no_frame():
    windows = frames_in_windows(frames(range(8)), [0, 4], 4)
    assert [[frame.index for frame in window] for window in windows] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_windows_end_with_the_video():
    windows = frames_in_windows(frames(range(10)), [2, 8, 20], 4)
    assert [[frame.index for frame in window] for window in windows] == [[2, 3, 4, 5], [8, 9]]


def test_last_frames_stand_in_for_a_window_past_the_end():
    windows = frames_in_windows(frames(range(10)), [2, 12, 20], 3)
    assert [[frame.index for frame in window] for window in windows] == [[2, 3, 4], [7, 8, 9]]
