from fractions import Fraction

import av
import numpy as np
import pytest

from deepfake_ssat.errors import VideoError
from deepfake_ssat.inference.explanation import FrameMark
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.annotate import annotate_video, draw_marks
from deepfake_ssat.video import open_video
from tests.videos import write_video

GREY = np.full((96, 128, 3), 128, np.uint8)
MARK = FrameMark(track_id=2, box=(30.0, 40.0, 70.0, 80.0), probability=0.9)


def always_fake(_):
    return Verdict.FAKE


def with_sound(path):
    """A second of grey with a 440 Hz tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(10))
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(GREY, format="rgb24")
            frame.pts = index
            container.mux(video.encode(frame))
        tone = np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000).astype(np.float32)[None]
        samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 16000, 0
        container.mux(sound.encode(samples))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def sound_bytes(path):
    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0) if packet.dts is not None)


def test_marked_frames_have_a_box_and_others_stay_as_they_were(tmp_path):
    source = write_video(tmp_path / "a.mp4", [GREY] * 10, fps=10)
    annotate_video(source, tmp_path / "b.mp4", {3: [MARK]}, always_fake)
    with open_video(tmp_path / "b.mp4") as reader:
        frames = [frame.rgb().astype(int) for frame in reader]
    assert len(frames) == 10
    changed = [int(np.abs(frame - 128).max() > 40) for frame in frames]
    assert changed == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_sound_is_copied_bit_by_bit(tmp_path):
    source = with_sound(tmp_path / "a.mp4")
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    assert sound_bytes(tmp_path / "b.mp4") == sound_bytes(source)


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    seconds = [0.0, 0.1, 0.5, 0.55, 1.2]
    source = write_video(tmp_path / "a.mp4", [GREY] * 5, fps=10, seconds=seconds)
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    with open_video(tmp_path / "b.mp4") as reader:
        assert [frame.seconds for frame in reader] == pytest.approx(seconds, abs=0.002)


def test_odd_sides_and_boxes_beyond_the_border_are_drawn(tmp_path):
    frame = np.full((97, 129, 3), 128, np.uint8)
    drawn = draw_marks(frame, [FrameMark(0, (-10.0, -5.0, 200.0, 300.0), 0.5)], always_fake)
    assert drawn.shape == frame.shape
    assert (frame == 128).all()


def test_unreadable_source_leaves_no_file(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError):
        annotate_video(tmp_path / "a.mp4", tmp_path / "b.mp4", {}, always_fake)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("ending", "container"), [("mkv", "matroska"), ("mov", "mov"), ("avi", "avi"), ("ts", "mpegts")]
)
def test_marked_copy_is_of_the_kind_that_its_name_says(tmp_path, ending, container):
    source, target = write_video(tmp_path / "a.mp4", [GREY] * 5, fps=10), tmp_path / f"b.{ending}"
    annotate_video(source, target, {}, always_fake)
    with av.open(str(target)) as reader:
        assert container in reader.format.name
        assert sum(1 for _ in reader.decode(video=0)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", target.name]
