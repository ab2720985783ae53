"""A perturbed reader: other pictures, the same indices, times and sizes."""

import gc
import weakref

import numpy as np
import pytest

from deepfake_ssat.video import open_video
from deepfake_ssat.video.perturbation import KINDS, Perturbation, PerturbedReader
from tests.videos import coded_frames, read_code, write_video


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "v.mp4", coded_frames(60))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_pictures_change(path, kind):
    with open_video(path) as plain:
        expected = [(frame.index, frame.seconds, frame.rgb()) for frame in plain]
        metadata = plain.metadata
    with PerturbedReader(open_video(path), Perturbation(kind, 2), np.random.default_rng(0)) as reader:
        frames = [(frame.index, frame.seconds, frame.rgb()) for frame in reader]
        assert reader.metadata == metadata
    assert [frame[:2] for frame in frames] == [frame[:2] for frame in expected]
    assert all(
        (ours[2] != theirs[2]).any() and ours[2].shape == theirs[2].shape
        for ours, theirs in zip(frames, expected, strict=True)
    )


def test_pictures_stay_with_their_frames_through_the_encoder(path):
    with PerturbedReader(open_video(path), Perturbation("h264", 1), np.random.default_rng(0)) as reader:
        assert all(read_code(frame.rgb()) == frame.index for frame in reader)


def test_a_frame_gives_one_picture_at_every_size(path):
    with PerturbedReader(open_video(path), Perturbation("noise", 3), np.random.default_rng(0)) as reader:
        frame = next(iter(reader))
        np.testing.assert_array_equal(frame.rgb(), frame.rgb())
        assert frame.rgb(48).shape == (32, 48, 3)


@pytest.mark.slow
def test_frames_handed_on_are_not_kept(path):
    with PerturbedReader(open_video(path), Perturbation("blur", 1), np.random.default_rng(0)) as reader:
        frames = iter(reader)
        first = next(frames)
        watched = weakref.ref(first.rgb())
        del first
        next(frames)
        gc.collect()
        assert watched() is None
