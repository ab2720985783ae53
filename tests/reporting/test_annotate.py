from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deepfake_ssat.errors import OutputError, VideoError
from deepfake_ssat.inference.explanation import FrameMark
from deepfake_ssat.records import ClipScore, Status, Verdict, VideoVerdict
from deepfake_ssat.reporting.annotate import annotate_video, draw_marks
from deepfake_ssat.reporting.banner import COLOURS, NOT_ANALYSED, NOT_SCORED, PALE, Banner, clock
from deepfake_ssat.video import open_video
from tests.video.shown_files import join, write_sizes, write_with_sound
from tests.videos import coded_frames, read_code, write_video

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


JUDGED = VideoVerdict("a.mp4", Status.SCORED, 0.91, Verdict.FAKE, clips=(ClipScore(0, 0.0, 0.35, 0.91),))


def test_banner_stands_above_the_pictures_and_tells_why_a_frame_has_no_score(tmp_path):
    source = write_video(tmp_path / "a.mp4", [GREY] * 10, fps=10)
    marks = {index: [MARK] for index in range(4)}
    annotate_video(source, tmp_path / "b.mp4", marks, always_fake, verdict=JUDGED, searched=[(0, 6)])
    with open_video(tmp_path / "b.mp4") as reader:
        frames = [frame.rgb().astype(int) for frame in reader]
    banner = Banner(JUDGED, 128)
    assert {frame.shape for frame in frames} == {(96 + banner.height, 128, 3)}
    assert all(np.abs(frame[banner.height :] - 128).max() < 12 for frame in frames[4:])

    def told(index):
        """What the strip of a frame is most like."""
        texts = ("", NOT_SCORED, NOT_ANALYSED)
        strips = [banner.draw(index / 10, text).astype(int) for text in texts]
        return texts[np.argmin([np.abs(frames[index][: banner.height] - strip).sum() for strip in strips])]

    assert [told(index) for index in range(10)] == [""] * 4 + [NOT_SCORED] * 3 + [NOT_ANALYSED] * 3


def test_face_without_a_score_has_a_pale_box_and_no_number():
    scored = draw_marks(GREY, [MARK], always_fake)
    without = draw_marks(GREY, [replace(MARK, probability=None)], always_fake)
    colour = np.array(COLOURS[Verdict.FAKE])
    assert (scored[60, 30] == colour).all()
    assert (without[60, 30] == PALE).all()
    assert not (without == colour).all(axis=-1).any()
    assert (without != GREY).any(axis=-1).sum() < (scored != GREY).any(axis=-1).sum()


@pytest.mark.parametrize("width", [96, 360, 720, 1920, 3840])
def test_banner_fits_every_width(width):
    banner = Banner(JUDGED, width)
    strip = banner.draw(3725.4)
    assert strip.shape == (banner.height, width, 3)
    assert banner.height % 2 == 0
    margin = strip[: banner.height // 2, -2:]
    assert (margin == COLOURS[Verdict.FAKE]).all()


def test_clock_reads_as_a_player_shows_it():
    assert [clock(seconds) for seconds in (0.0, 5.204, 65.0, 3725.4)] == [
        "0:00.00",
        "0:05.20",
        "1:05.00",
        "1:02:05.40",
    ]


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


def starts(path):
    """(of the pictures, of the sound) in seconds, as stamped."""
    with av.open(str(path)) as container:
        tracks = container.streams.video[0], container.streams.audio[0]
        return tuple(float(track.start_time * track.time_base) for track in tracks)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mp4"])
def test_sound_and_pictures_that_begin_apart_stay_apart(tmp_path, name):
    source = write_with_sound(tmp_path / name, coded_frames(20), picture_start=0.8, sound_seconds=2)
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    (picture, sound), (before, sound_before) = starts(tmp_path / "b.mp4"), starts(source)
    assert picture - sound == pytest.approx(before - sound_before, abs=0.005)
    assert sound == pytest.approx(0, abs=0.07)


def test_joined_recordings_are_one_copy(tmp_path):
    part = write_with_sound(tmp_path / "0.ts", coded_frames(20), picture_start=0.4, sound_seconds=1.5)
    source = join(tmp_path / "a.ts", part, part)
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    with open_video(source) as one, open_video(tmp_path / "b.mp4") as other:
        seconds = [frame.seconds for frame in one]
        assert [frame.seconds for frame in other] == pytest.approx(seconds, abs=0.005)
    with av.open(str(tmp_path / "b.mp4")) as container:
        stamps = [packet.pts for packet in container.demux(audio=0) if packet.size]
    assert len(stamps) == 2 * sum(1 for _ in sound_packets(part))
    assert (np.diff(stamps) > 0).all()


def sound_packets(path):
    with av.open(str(path)) as container:
        yield from (packet for packet in container.demux(audio=0) if packet.size)


def test_sound_and_pictures_alternate_in_the_copy(tmp_path):
    source = write_with_sound(tmp_path / "a.mp4", coded_frames(75), sound_seconds=3)
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    with av.open(str(tmp_path / "b.mp4")) as container:
        places = [(packet.pos, packet.stream.type) for packet in container.demux() if packet.size]
    kinds = [kind for _, kind in sorted(places)]
    assert "video" in kinds[len(kinds) // 2 :]
    assert "audio" in kinds[: len(kinds) // 2]


def test_copy_has_the_shape_of_square_pixels(tmp_path):
    frames = coded_frames(5, (64, 64))
    source = write_video(tmp_path / "a.mp4", frames, options={"x264-params": "sar=2/1"})
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    with open_video(tmp_path / "b.mp4") as reader:
        assert (reader.metadata.width, reader.metadata.height) == (128, 64)
        assert [read_code(frame.rgb()) for frame in reader] == list(range(5))


def test_video_that_changes_its_size_is_copied_in_the_first(tmp_path):
    source = write_sizes(tmp_path / "a.mkv", [coded_frames(5, (96, 128)), coded_frames(5, (48, 64))])
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    with open_video(tmp_path / "b.mp4") as reader:
        pictures = [frame.rgb() for frame in reader]
    assert {picture.shape for picture in pictures} == {(96, 128, 3)}
    assert [read_code(picture) for picture in pictures] == [*range(5), *range(5)]


def test_copy_of_a_turned_video_is_turned(tmp_path):
    source = write_video(tmp_path / "a.mp4", [np.rot90(frame) for frame in coded_frames(3)])
    annotate_video(source, tmp_path / "b.mp4", {}, always_fake, turn=90)
    with open_video(tmp_path / "b.mp4") as reader:
        assert [read_code(frame.rgb()) for frame in reader] == [0, 1, 2]


def test_sound_that_the_copy_cannot_hold_is_named(tmp_path):
    source = write_with_sound(
        tmp_path / "a.wmv", coded_frames(10), sound_seconds=1, codecs=("wmv2", "wmav2"), sample_rate=44100
    )
    warnings = annotate_video(source, tmp_path / "b.mp4", {}, always_fake)
    assert warnings == ["MP4 (MPEG-4 Part 14) cannot hold the sound (wmav2): the copy is silent"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_is_an_error_of_the_output(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 96, 128, 3), dtype=np.uint8)
    source = write_video(tmp_path / "a.mp4", noise)
    target = tmp_path / "b.mp4"
    target.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="cannot be written"):
        annotate_video(source, target, {}, always_fake)


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
