"""Extracted frames as the video they came from: numbers are indices, gaps stay gaps."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video.frame_folder import FrameFolderReader, numbered_pictures, open_video_or_frames
from tests.videos import coded_frames, write_video


def _frames(folder, *names, size=(6, 8)):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((*size, 3), 10 * number, np.uint8)).save(folder / name)
    return folder


def test_numbers_are_indices_and_gaps_stay(tmp_path):
    folder = _frames(tmp_path / "a", "frame_0002.png", "frame_0003.png", "frame_0010.png", "frame_0011.png")
    with FrameFolderReader(folder) as reader:
        frames = list(reader)
    assert [frame.index for frame in frames] == [2, 3, 10, 11]
    assert [frame.seconds for frame in frames] == [2 / 25, 3 / 25, 10 / 25, 11 / 25]
    assert [int(frame.rgb().max()) for frame in frames] == [0, 10, 20, 30]
    assert (reader.metadata.width, reader.metadata.height, reader.metadata.num_frames) == (8, 6, 12)
    assert reader.warnings == ["frames are pictures without times: 25 a second are assumed"]


def test_numbers_count_not_the_order_of_names(tmp_path):
    folder = _frames(tmp_path / "a", "10.png", "9.png", "clip7_8_face.png")
    (folder / "notes.txt").touch()
    (folder / "._8.png").touch()
    assert list(numbered_pictures(folder)) == [8, 9, 10]


def test_frame_of_another_size_is_brought_to_the_first_ones(tmp_path):
    folder = _frames(tmp_path / "a", "0.png")
    _frames(folder, "1.png", size=(12, 16))
    assert [frame.rgb().shape for frame in FrameFolderReader(folder)] == [(6, 8, 3)] * 2


def test_turned_frames_are_turned_clockwise(tmp_path):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 255
    Image.fromarray(pixels).save(_frames(tmp_path / "a") / "0.png")
    reader = FrameFolderReader(tmp_path / "a")
    reader.turn(90)
    (frame,) = reader
    assert (frame.width, frame.height) == (2, 3)
    assert frame.rgb()[0, 1].tolist() == [255] * 3


def test_folder_without_numbers_or_with_one_twice_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"holds no numbered picture such as 0001\.png"):
        FrameFolderReader(_frames(tmp_path / "a", "face.png"))
    with pytest.raises(VideoError, match=r"two pictures of number 1, 001\.png and 1\.png; keep one"):
        FrameFolderReader(_frames(tmp_path / "b", "1.png", "001.png"))


def test_damaged_picture_is_named_when_it_is_looked_at(tmp_path):
    folder = _frames(tmp_path / "a", "0.png", "1.png")
    (folder / "1.png").write_text("no picture")
    first, second = FrameFolderReader(folder)
    assert first.rgb().shape == (6, 8, 3)
    with pytest.raises(VideoError, match=r"1\.png cannot be read as a picture"):
        second.rgb()


def test_one_door_for_files_and_folders(tmp_path):
    write_video(tmp_path / "a.mp4", coded_frames(2))
    with open_video_or_frames(tmp_path / "a.mp4") as reader:
        assert len(list(reader)) == 2
    with open_video_or_frames(_frames(tmp_path / "a", "0.png")) as reader:
        assert len(list(reader)) == 1
