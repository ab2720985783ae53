"""A reader gives what a player shows: tracks, times, counts and sizes, whatever a header says."""

from fractions import Fraction

import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import open_video
from tests.video.shown_files import hide_all_but, join, write_sizes, write_tracks, write_with_sound
from tests.videos import coded_frames, read_code, write_video


def read_all(path):
    with open_video(path) as reader:
        frames = list(reader)
    return frames, reader


def seconds_of(path):
    return [frame.seconds for frame in read_all(path)[0]]


def test_frames_of_another_size_are_shown_in_the_first_size(tmp_path):
    path = write_sizes(tmp_path / "a.mkv", [coded_frames(10, (96, 128)), coded_frames(10, (48, 64))])
    frames, reader = read_all(path)
    assert {(frame.width, frame.height) for frame in frames} == {(128, 96)}
    assert [read_code(frame.convert(128, 96)) for frame in frames] == [*range(10), *range(10)]
    assert [frame.rgb().shape[:2] for frame in (frames[9], frames[10])] == [(96, 128), (48, 64)]
    assert [frame.detail for frame in (frames[9], frames[10])] == [1.0, 0.5]
    assert len(reader.warnings) == 1
    assert "changes its size" in reader.warnings[0]


def test_video_that_grows_keeps_its_detail(tmp_path):
    path = write_sizes(tmp_path / "a.mkv", [coded_frames(5, (48, 64)), coded_frames(5, (192, 256))])
    frames, _ = read_all(path)
    assert (frames[7].width, frames[7].height, frames[7].detail) == (64, 48, 4.0)
    assert frames[7].rgb().shape == (192, 256, 3)
    assert frames[7].rgb(128).shape == (96, 128, 3)


def test_frame_of_another_shape_is_fitted_in_not_stretched(tmp_path):
    white = np.full((128, 64, 3), 255, np.uint8)
    path = write_sizes(tmp_path / "a.mkv", [coded_frames(3, (64, 128)), [white] * 3])
    picture = read_all(path)[0][4].convert(128, 64)
    bright = np.argwhere(picture.min(axis=2) > 128)
    assert bright.min(axis=0).tolist() == [0, 48]
    assert bright.max(axis=0).tolist() == [63, 79]


@pytest.mark.parametrize(("aspect", "size"), [("2/1", (128, 64)), ("4/3", (85, 64)), ("1/2", (64, 128))])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_sizes_are_those_of_square_pixels(tmp_path, name, aspect, size):
    frames = coded_frames(20, (64, 64))
    path = write_video(tmp_path / name, frames, options={"x264-params": f"sar={aspect}"})
    with open_video(path) as reader:
        frame = next(iter(reader))
        assert (reader.metadata.width, reader.metadata.height) == (frame.width, frame.height) == size
        picture = frame.rgb()
    assert picture.shape[1::-1] == size
    assert read_code(picture) == 0


def test_turned_video_has_square_pixels_after_turning(tmp_path):
    frames = coded_frames(3, (64, 64))
    path = write_video(tmp_path / "a.mp4", frames, options={"x264-params": "sar=2/1"}, rotation=90)
    with open_video(path) as reader:
        assert (reader.metadata.width, reader.metadata.height) == (64, 128)


def sized(height, num_frames=20):
    return coded_frames(num_frames, (height, 2 * height))


@pytest.mark.parametrize(
    ("tracks", "fps", "default", "chosen"),
    [
        pytest.param([sized(64), sized(64)], [25, 25], [False, True], 1, id="default flag"),
        pytest.param([sized(32), sized(64)], [25, 25], [True, True], 1, id="then size"),
        pytest.param([sized(64, 10), sized(64, 20)], [25, 25], [False, False], 1, id="then frames"),
        pytest.param([sized(64), sized(64)], [25, 25], [True, True], 0, id="else the first"),
        pytest.param([sized(96, 1), sized(64)], [1, 25], [True, True], 1, id="a flagged thumbnail never"),
    ],
)
def test_the_track_that_a_player_shows_is_chosen(tmp_path, tracks, fps, default, chosen):
    path = write_tracks(tmp_path / "a.mkv", tracks, fps, default)
    frames, reader = read_all(path)
    height, width = tracks[chosen][0].shape[:2]
    assert (reader.metadata.width, reader.metadata.height) == (width, height)
    assert len(frames) == reader.metadata.num_frames == len(tracks[chosen])
    other = tracks[1 - chosen]
    if len(other) == 1:
        assert reader.warnings == []
    else:
        size = f"{other[0].shape[1]}x{other[0].shape[0]}"
        assert reader.warnings == [
            f"several picture tracks: track {chosen} ({width}x{height}, {len(frames)} frames) was looked at, "
            f"not track {1 - chosen} ({size}, {len(other)} frames)"
        ]


def test_attached_picture_is_not_a_track(tmp_path):
    flags = [Disposition.attached_pic, Disposition(0)]
    path = write_tracks(tmp_path / "a.mp4", [sized(96, 1), sized(64, 5)], [25, 25], [False, True], flags)
    frames, reader = read_all(path)
    assert (len(frames), reader.warnings) == (5, [])


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4"])
def test_time_begins_with_the_first_sound(tmp_path, name):
    path = write_with_sound(tmp_path / name, coded_frames(20), picture_start=0.8, sound_seconds=2)
    priming = 1024 / 16000 if path.suffix == ".ts" else 0  # Heard there: TS cannot hide the encoder's start.
    np.testing.assert_allclose(seconds_of(path), 0.8 + priming + np.arange(20) / 25, atol=0.002)


def test_time_begins_with_the_pictures_where_there_is_no_sound(tmp_path):
    path = write_video(tmp_path / "a.mkv", coded_frames(5), seconds=[5.0, 5.1, 5.2, 5.3, 5.4])
    np.testing.assert_allclose(seconds_of(path), [0, 0.1, 0.2, 0.3, 0.4], atol=0.002)


@pytest.mark.parametrize("bf", ["0", "2"])
def test_time_goes_on_where_recordings_are_joined(tmp_path, bf):
    parts = [
        write_video(tmp_path / f"{number}.ts", coded_frames(count), options={"bf": bf})
        for number, count in enumerate((30, 40, 20))
    ]
    frames, reader = read_all(join(tmp_path / "a.ts", *parts))
    assert [read_code(frame.rgb()) for frame in frames] == [*range(30), *range(40), *range(20)]
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(90) / 25, atol=0.002)
    assert reader.metadata.num_frames == 90
    assert reader.metadata.duration_seconds == pytest.approx(3.6, abs=0.1)
    assert reader.warnings == []


def test_later_recording_does_not_leave_a_gap_of_hours(tmp_path):
    first = write_video(tmp_path / "0.ts", coded_frames(30), options={"bf": "0"})
    times = 3600 + np.arange(30) / 25
    second = write_video(tmp_path / "1.ts", coded_frames(30), options={"bf": "0"}, seconds=times.tolist())
    np.testing.assert_allclose(
        seconds_of(join(tmp_path / "a.ts", first, second)), np.arange(60) / 25, atol=0.002
    )


def test_sound_and_pictures_of_joined_recordings_stay_together(tmp_path):
    """In each part pictures begin 0.4 s after the sound, which ends last: a part lasts as its sound does."""
    part = write_with_sound(tmp_path / "0.ts", coded_frames(20), picture_start=0.4, sound_seconds=2.048)
    seconds = seconds_of(join(tmp_path / "a.ts", part, part))
    once = 0.4 + 1024 / 16000 + np.arange(20) / 25
    np.testing.assert_allclose(seconds[:20], once, atol=0.002)
    np.testing.assert_allclose(seconds[20:], once + 2.048 + 1024 / 16000, atol=0.002)


def test_edit_list_that_hides_frames_shortens_the_count(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_frames(100), options={"g": "250", "bf": "0"})
    frames, reader = read_all(hide_all_but(path, 0.8))
    assert len(frames) == reader.metadata.num_frames == 20
    assert reader.metadata.duration_seconds == pytest.approx(0.8, abs=0.05)
    assert reader.warnings == []


def test_frames_of_later_fragments_are_counted(tmp_path):
    path = write_video(
        tmp_path / "a.mp4",
        coded_frames(100),
        options={"g": "10", "bf": "0"},
        muxer_options={"movflags": "frag_keyframe"},
    )
    frames, reader = read_all(path)
    assert len(frames) == reader.metadata.num_frames == 100
    assert reader.metadata.duration_seconds == pytest.approx(4.0, abs=0.05)
    assert reader.warnings == []


def test_sound_that_goes_on_is_no_damage(tmp_path):
    path = write_with_sound(
        tmp_path / "a.wmv", coded_frames(25), sound_seconds=4, codecs=("wmv2", "libmp3lame")
    )
    frames, reader = read_all(path)
    assert len(frames) == reader.metadata.num_frames == 25
    assert reader.metadata.duration_seconds == pytest.approx(1.0, abs=0.1)
    assert reader.warnings == []


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_reader_begins_again_turned(tmp_path, turn):
    (picture,) = coded_frames(1)
    path = write_video(tmp_path / "a.mp4", [picture] * 3, rotation=90)
    with open_video(path) as reader:
        next(iter(reader))
        reader.turn(turn)
        frames = list(reader)
    expected = np.rot90(picture, -(90 + turn) // 90)
    assert len(frames) == 3
    assert np.abs(frames[0].rgb().astype(int) - expected).mean() < 6
    assert (reader.metadata.rotation, reader.metadata.untagged_turn) == ((90 + turn) % 360, turn)
    assert (reader.metadata.height, reader.metadata.width) == expected.shape[:2]
    with open_video(path, turn) as turned:
        assert turned.metadata == reader.metadata


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp", "a.tiff", "picture"])
def test_picture_is_called_a_picture(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(coded_frames(1)[0]).save(path, format=None if path.suffix else "PNG")
    with pytest.raises(VideoError, match="is a picture, and only videos are judged"):
        open_video(path)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animation_is_read_as_a_video(tmp_path, name):
    pictures = [Image.fromarray(picture) for picture in coded_frames(20)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=40, loop=0)
    frames, reader = read_all(tmp_path / name)
    assert [read_code(frame.rgb()) for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(20) / 25, atol=1e-3)
    assert reader.metadata.fps == pytest.approx(25)
    assert reader.metadata.num_frames == 20


def test_animated_avif_is_read_as_a_video(tmp_path):
    pytest.importorskip("PIL._avif", reason="this build of Pillow writes no AVIF")
    pictures = [Image.fromarray(picture) for picture in coded_frames(20, (64, 128))]
    pictures[0].save(tmp_path / "a.avif", save_all=True, append_images=pictures[1:], duration=40)
    frames, _ = read_all(tmp_path / "a.avif")
    assert [read_code(frame.rgb()) for frame in frames] == list(range(20))


def test_displayed_sides_are_whole_pixels():
    from deepfake_ssat.video.layout import Layout

    assert Layout(720, 480, Fraction(8, 9)).size == (720, 540)
    assert Layout(720, 576, Fraction(64, 45)).size == (1024, 576)
