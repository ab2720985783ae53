"""Frames are counted as they are read, and once only."""

import numpy as np

from deepfake_ssat.video import open_video
from deepfake_ssat.video.watched import WatchedReader
from tests.videos import write_video


def test_every_frame_is_told_once_though_a_turn_reads_them_again(tmp_path):
    path = write_video(tmp_path / "a.mp4", [np.zeros((32, 48, 3), np.uint8)] * 60)
    told = []
    with open_video(path) as video:
        reader = WatchedReader(video, lambda count=1, note="": told.append(count))
        assert len(list(reader)) == 60
        assert (sum(told), len(told)) == (60, 3)
        reader.turn(90)
        assert (reader.metadata.width, reader.metadata.height) == (32, 48)
        assert len(list(reader)) == 60
    assert sum(told) == 60
