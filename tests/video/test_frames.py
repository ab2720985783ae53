"""Frames in memory as a video: their own pixels and times; what cannot be used is named with its place."""

import numpy as np
import pytest

from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.video.frames import FrameReader

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def test_array_gives_its_frames_at_the_times_of_its_rate():
    with FrameReader(FRAMES, fps=25) as reader:
        read = list(reader)
    assert [(frame.index, frame.seconds) for frame in read] == [(n, n / 25) for n in range(5)]
    assert all(np.array_equal(frame.rgb(), pixels) for frame, pixels in zip(read, FRAMES, strict=True))
    assert read[0].rgb(longest_side=4).shape == (3, 4, 3)
    found = reader.metadata
    assert (found.width, found.height, found.num_frames, found.fps) == (8, 6, 5, 25)
    assert found.duration_seconds == pytest.approx(0.2)


def test_frames_one_by_one_have_given_times_and_no_known_number():
    times = [0.0, 0.1, 0.15, 0.4, 2.0]
    with FrameReader(iter(FRAMES), seconds=iter(times)) as reader:
        assert reader.metadata.num_frames is None
        assert reader.metadata.fps == pytest.approx(10)
        assert [frame.seconds for frame in reader] == times


def test_single_frame_is_a_video():
    with FrameReader(FRAMES[:1], seconds=[3.0]) as reader:
        assert [frame.seconds for frame in reader] == [3.0]


def test_frames_that_are_kept_can_be_read_again_turned():
    for frames, seconds in ((FRAMES, [0, 1, 2, 3, 4]), (list(FRAMES), np.arange(5))):
        reader = FrameReader(frames, seconds=seconds)
        next(iter(reader))
        reader.turn(90)
        assert (reader.metadata.width, reader.metadata.height, reader.metadata.untagged_turn) == (6, 8, 90)
        turned = [frame.rgb() for frame in reader]
        assert all(np.array_equal(a, np.rot90(b, 3)) for a, b in zip(turned, FRAMES, strict=True))
        reader.turn(270)
        assert np.array_equal(next(iter(reader)).rgb(), FRAMES[0])


def test_frames_that_are_gone_cannot_be_turned():
    for reader in (FrameReader(iter(FRAMES), fps=25), FrameReader(FRAMES, seconds=iter(range(5)))):
        with pytest.raises(VideoError, match="turned by 180° clockwise, and frames that come"):
            reader.turn(180)


def test_frames_are_not_read_ahead():
    given = []

    def stream():
        for number, frame in enumerate(FRAMES):
            given.append(number)
            yield frame

    frames = iter(FrameReader(stream(), fps=1))
    next(frames)
    assert given == [0, 1]


def test_error_of_the_callers_own_iterator_is_theirs():
    def stream():
        yield FRAMES[0]
        yield FRAMES[1]
        raise ValueError("the camera is gone")

    with pytest.raises(ValueError, match="the camera is gone"):
        list(FrameReader(stream(), fps=1))


def test_no_frame_is_no_video():
    with pytest.raises(VideoError, match="no frame"):
        FrameReader(FRAMES[:0], fps=25)


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (FRAMES / 255, {"fps": 25}, r"frame 0 is float64 of shape \(6, 8, 3\); give RGB pictures"),
        (FRAMES[..., 0], {"fps": 25}, r"frame 0 is uint8 of shape \(6, 8\)"),
        ([FRAMES[0], FRAMES[0], FRAMES[0, :3]], {"fps": 25}, r"frame 2 has shape \(3, 8, 3\), the first"),
        (FRAMES, {}, "either fps or seconds"),
        (FRAMES, {"fps": 25, "seconds": [0.0]}, "either fps or seconds"),
        (FRAMES, {"fps": 0}, "fps is 0"),
        (FRAMES, {"seconds": [0, 1, 1, 2, 3]}, "frame 2 is at 1 s, the one before at 1 s; times must ascend"),
        (FRAMES, {"seconds": [0, 1, 2]}, "seconds has 3 times and there are more frames"),
        (FRAMES, {"seconds": range(6)}, "more times than there are frames"),
    ],
)
def test_what_cannot_be_used_is_named(frames, options, message):
    with pytest.raises(ConfigError, match=message):
        list(FrameReader(frames, **options))
