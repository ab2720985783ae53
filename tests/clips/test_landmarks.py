"""Landmarks beside clip files."""

from pathlib import Path

import numpy as np
import pytest

from deepfake_ssat.clips.landmarks import landmarks_path, read_landmarks, write_landmarks
from deepfake_ssat.errors import ManifestError


@pytest.fixture
def stored(tmp_path):
    clip = tmp_path / "track000_00.mp4"
    values = np.arange(70, dtype=float).reshape(7, 5, 2) / 8
    write_landmarks(clip, values)
    return clip, values


def test_file_has_the_clip_s_name():
    assert landmarks_path(Path("a/track003_01.mp4")) == Path("a/track003_01.landmarks.npy")


def test_all_or_some_frames_are_read_back(stored):
    clip, values = stored
    assert np.array_equal(read_landmarks(clip), values)
    assert np.array_equal(read_landmarks(clip, range(2, 5)), values[2:5])
    assert np.array_equal(read_landmarks(clip, [6, 0, 0]), values[[6, 0, 0]])
    assert list(clip.parent.iterdir()) == [landmarks_path(clip)]


def test_clips_without_landmarks_name_the_remedy(tmp_path):
    with pytest.raises(ManifestError, match=r"00\.landmarks\.npy .* run the same preprocess command"):
        read_landmarks(tmp_path / "track000_00.mp4")


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"text"])
def test_damaged_file_is_named(stored, damage):
    clip, _ = stored
    landmarks_path(clip).write_bytes(damage)
    with pytest.raises(ManifestError, match=r"landmarks\.npy is damaged .*; delete it"):
        read_landmarks(clip)


def test_file_of_fewer_frames_than_its_clip_is_named(stored):
    clip, _ = stored
    with pytest.raises(ManifestError, match="it has 7 frames, frame 8 was asked for"):
        read_landmarks(clip, range(5, 9))


def test_other_shapes_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"\(7, 4, 2\), they must be \(T, 5, 2\)"):
        write_landmarks(tmp_path / "clip.mp4", np.zeros((7, 4, 2)))
