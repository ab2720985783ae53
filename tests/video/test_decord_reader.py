"""decord on foreign files: right where it works, refused where it lies, ended where it hangs."""

import sys
import time

import numpy as np
import pytest

pytest.importorskip("decord")

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import open_video
from deepfake_ssat.video.decord_reader import DecordReader
from tests.video.damaging import cut_in_half, zero_last_packets
from tests.videos import coded_frames, encoder_or_skip, read_code, write_video

SENDS = """
import sys, time
from deepfake_ssat.video.decord_child import FRAME, HEADER
for index in range({num_frames}):
    sys.stdout.buffer.write(HEADER.pack(FRAME, index, index / 25, 4, 6) + bytes(72))
sys.stdout.buffer.flush()
{then}
"""


def stand_in(num_frames, then):
    """A child that sends frames and then misbehaves."""
    return (sys.executable, "-c", SENDS.format(num_frames=num_frames, then=then))


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.mp4", coded_frames(30), options={"bf": "2"})


def test_decord_gives_the_same_frames_as_pyav(tmp_path):
    path = write_video(tmp_path / "turned.mp4", coded_frames(30), rotation=90)
    with open_video(path, "decord") as decord, open_video(path) as pyav:
        assert decord.metadata == pyav.metadata
        for ours, theirs in zip(decord, pyav, strict=True):
            assert ours.index == theirs.index
            assert ours.seconds == pytest.approx(theirs.seconds, abs=1e-4)
            assert np.abs(ours.rgb().astype(int) - theirs.rgb()).mean() < 3
            assert ours.rgb(32).shape == theirs.rgb(32).shape
    assert decord.warnings == []


def test_transport_stream_is_refused_because_decord_reads_it_wrongly(tmp_path):
    path = write_video(tmp_path / "stream.ts", coded_frames(20))
    with pytest.raises(VideoError, match="MPEG-TS, which decord reads wrongly; use the pyav reader"):
        open_video(path, "decord")


def test_av1_is_refused_by_decord(tmp_path):
    encoder = encoder_or_skip("libsvtav1", "libaom-av1")
    path = write_video(tmp_path / "av1.mp4", coded_frames(5), codec=encoder, options={"preset": "12"})
    with pytest.raises(VideoError, match="use the pyav reader"):
        open_video(path, "decord")


def test_frames_that_decord_loses_from_16x16_are_told(tmp_path):
    path = write_video(tmp_path / "tiny.mp4", coded_frames(5, (16, 16)))
    with open_video(path, "decord") as reader:
        codes = [read_code(frame.rgb()) for frame in reader]
    assert codes == list(range(len(codes)))
    assert len(codes) == 5 or len(reader.warnings) == 1


def test_variable_frame_rate_keeps_times(tmp_path):
    times = [0, 0.04, 0.24, 0.25, 0.75]
    path = write_video(tmp_path / "vfr.mp4", coded_frames(5), seconds=times, options={"bf": "0"})
    with open_video(path, "decord") as reader:
        frames = [(frame.index, read_code(frame.rgb()), frame.seconds) for frame in reader]
    assert [frame[:2] for frame in frames] == [(index, index) for index in range(5)]
    np.testing.assert_allclose([frame[2] for frame in frames], times, atol=2e-3)


def test_zeroed_last_packets_end_in_a_warning_not_a_hang(video):
    zero_last_packets(video, 5)
    with open_video(video, "decord", time_limit_seconds=5) as reader:
        codes = [read_code(frame.rgb()) for frame in reader]
    assert codes == list(range(len(codes)))
    assert len(reader.warnings) == 1
    assert reader.warnings[0].startswith("decord ")


def test_cut_file_is_refused_by_decord_in_one_line(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)
    path = write_video(tmp_path / "cut.mp4", frames, muxer_options={"movflags": "faststart"})
    with pytest.raises(VideoError, match="decord failed") as caught:
        open_video(cut_in_half(path), "decord")
    assert "\n" not in str(caught.value)


def test_hang_after_some_frames_is_ended_and_told(video):
    with DecordReader(video, time_limit_seconds=0.5, child=stand_in(3, "time.sleep(600)")) as reader:
        assert [frame.index for frame in reader] == [0, 1, 2]
        assert reader._process.wait(10) != 0
    assert reader.warnings == ["decord hung: no frame for 0.5 s, it was ended, after 3 frames"]


def test_hang_before_the_first_frame_is_an_error(video):
    with pytest.raises(VideoError, match=r"decord hung: no frame for 0\.5 s"):
        DecordReader(video, time_limit_seconds=0.5, child=stand_in(0, "time.sleep(600)"))


def test_crash_in_mid_frame_is_told(video):
    half_a_frame = "sys.stdout.buffer.write(HEADER.pack(FRAME, 2, 0.08, 4, 6) + bytes(30))"
    with DecordReader(video, time_limit_seconds=30, child=stand_in(2, half_a_frame)) as reader:
        assert len(list(reader)) == 2
    assert reader.warnings == ["decord crashed, after 2 frames"]


def test_slow_consumer_is_no_hang(video):
    with DecordReader(video, time_limit_seconds=5) as reader:
        frames = iter(reader)
        next(frames)
        reader._time_limit_seconds = 0.5
        time.sleep(0.8)
        assert len(list(frames)) == 29
    assert reader.warnings == []


def test_leaving_early_ends_the_process(video):
    with DecordReader(video, time_limit_seconds=5) as reader:
        next(iter(reader))
    assert reader._process.poll() is not None
