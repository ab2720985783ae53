"""Each row of the readers' table: what PyAV must get right on odd files, and how damage is survived."""

import gc
import os
import struct
import subprocess
import sys
import wave
import weakref
from contextlib import suppress
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from av.error import FFmpegError

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import container as limits
from deepfake_ssat.video import decoding, open_video
from deepfake_ssat.video.damage import DamageLog, DisplayOrder
from deepfake_ssat.video.pyav_reader import PyavReader
from deepfake_ssat.video.timeline import Timeline
from tests.video.damaging import cut_in_half, packet_places, scramble_middle, zero_last_packets
from tests.videos import coded_frames, encoder_or_skip, read_code, write_video


def read_all(path):
    """(indices, codes seen in the pictures, seconds, warnings)."""
    with open_video(path) as reader:
        frames = [(frame.index, read_code(frame.rgb()), frame.seconds) for frame in reader]
    indices, codes, seconds = zip(*frames, strict=True)
    return list(indices), list(codes), list(seconds), reader.warnings


def noisy_frames(num_frames, size=(144, 192)):
    """Coded frames under noise: packets large enough that damage hits several of them."""
    random = np.random.default_rng(1)
    for picture in coded_frames(num_frames, size):
        yield np.clip(picture + random.integers(-12, 13, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "encoders", "pixel_format", "size", "options", "codec"),
    [
        ("b_frames.mp4", ["libx264"], "yuv420p", (64, 96), {"bf": "3"}, "h264"),
        ("open_gop.mp4", ["libx264"], "yuv420p", (64, 96), {"x264-params": "open-gop=1:keyint=10"}, "h264"),
        ("10_bit.mp4", ["libx264"], "yuv420p10le", (64, 96), {}, "h264"),
        ("444.mp4", ["libx264"], "yuv444p", (64, 96), {}, "h264"),
        ("odd.mp4", ["libx264"], "yuv444p", (61, 95), {}, "h264"),
        ("odd.mkv", ["ffv1"], "yuv420p", (61, 95), {}, "ffv1"),
        ("hevc.mp4", ["libx265"], "yuv420p", (64, 96), {"x265-params": "log-level=none"}, "hevc"),
        ("vp9.webm", ["libvpx-vp9"], "yuv420p", (64, 96), {"deadline": "realtime"}, "vp9"),
        ("mpeg4.avi", ["mpeg4"], "yuv420p", (64, 96), {"bf": "2"}, "mpeg4"),
        ("stream.ts", ["libx264"], "yuv420p", (64, 96), {}, "h264"),
        ("av1.mp4", ["libsvtav1", "libaom-av1"], "yuv420p", (64, 96), {"preset": "12"}, "av1"),
        ("tiny.mp4", ["libx264"], "yuv420p", (16, 16), {}, "h264"),
    ],
)
def test_every_frame_comes_once_in_order(tmp_path, name, encoders, pixel_format, size, options, codec):
    encoder = encoder_or_skip(*encoders)
    path = write_video(
        tmp_path / name, coded_frames(40, size), codec=encoder, options=options, pixel_format=pixel_format
    )
    indices, codes, seconds, warnings = read_all(path)
    assert indices == list(range(40))
    assert codes == list(range(40))
    late = 1 if path.suffix == ".avi" else 0  # AVI has no display times: its reordered frames come one late.
    np.testing.assert_allclose(seconds, (np.arange(40) + late) / 25, atol=1e-3)
    assert warnings == []
    with open_video(path) as reader:
        metadata = reader.metadata
    assert (metadata.codec, metadata.fps, metadata.rotation) == (codec, 25, 0)
    assert (metadata.height, metadata.width) == size
    assert metadata.num_frames == pytest.approx(40, abs=2)
    assert metadata.duration_seconds == pytest.approx(1.6, abs=0.1)


def test_variable_frame_rate_keeps_indices_and_times(tmp_path):
    times = np.cumsum([0, 0.04, 0.2, 0.01, 0.5, 0.033, 0.033, 0.1]).round(3)
    path = write_video(tmp_path / "vfr.mp4", coded_frames(8), seconds=times, options={"bf": "0"})
    indices, codes, seconds, warnings = read_all(path)
    assert indices == codes == list(range(8))
    np.testing.assert_allclose(seconds, times, atol=2e-3)
    assert warnings == []


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied_and_sizes_are_as_displayed(tmp_path, rotation, mirrored):
    (picture,) = coded_frames(1)
    path = write_video(tmp_path / "turned.mp4", [picture] * 3, rotation=rotation, mirrored=mirrored)
    expected = np.rot90(picture, -rotation // 90)
    expected = expected[:, ::-1] if mirrored else expected
    with open_video(path) as reader:
        frame = next(iter(reader))
        pixels, small = frame.rgb(), frame.rgb(48)
    assert pixels.flags.c_contiguous
    assert (frame.height, frame.width) == expected.shape[:2] == pixels.shape[:2]
    assert (reader.metadata.height, reader.metadata.width) == expected.shape[:2]
    assert max(small.shape[:2]) == 48
    assert np.abs(pixels.astype(int) - expected).mean() < 6
    if not mirrored:
        assert reader.metadata.rotation == rotation


@pytest.mark.parametrize(("colorspace", "kr", "kb"), [(1, 0.2126, 0.0722), (5, 0.299, 0.114)])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("pixel_format", "peak"), [("yuv444p", 255), ("yuv444p10le", 1023)])
def test_colours_follow_the_matrix_and_range_that_the_file_names(
    tmp_path, colorspace, kr, kb, full_range, pixel_format, peak
):
    """BT.709 (1) and BT.601 (5), limited and full range, against the equations of the standards."""
    path = write_video(
        tmp_path / "colour.mkv",
        coded_frames(1),
        codec="ffv1",
        pixel_format=pixel_format,
        colorspace=colorspace,
        color_range=2 if full_range else 1,
    )
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
        dtype = np.uint8 if peak == 255 else np.uint16
        planes = [np.frombuffer(plane, dtype).reshape(plane.height, -1) for plane in decoded.planes]
    luma, blue, red = (plane[:, :96].astype(float) / (peak + 1) * 256 for plane in planes)
    if full_range:
        luma, blue, red = luma / 255, (blue - 128) / 255, (red - 128) / 255
    else:
        luma, blue, red = (luma - 16) / 219, (blue - 128) / 224, (red - 128) / 224
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    expected = np.clip(np.stack([r, g, b], axis=-1) * 255, 0, 255)
    with open_video(path) as reader:
        pixels = next(iter(reader)).rgb()
    assert np.abs(pixels - expected).max() < 3


def test_file_cut_in_half_yields_its_first_half_and_a_warning(tmp_path):
    path = write_video(tmp_path / "cut.mp4", noisy_frames(60), muxer_options={"movflags": "faststart"})
    indices, codes, _, warnings = read_all(cut_in_half(path))
    assert 15 < len(indices) < 50
    assert indices == codes
    assert indices == sorted(set(indices))
    assert len(warnings) == 1
    assert "of 2.40 s announced" in warnings[0]


def test_matroska_cut_in_half_yields_its_first_half_and_a_warning(tmp_path):
    path = write_video(tmp_path / "cut.mkv", noisy_frames(60))
    indices, codes, _, warnings = read_all(cut_in_half(path))
    assert 15 < len(indices) < 50
    assert indices == codes
    assert len(warnings) == 1


@pytest.mark.slow
def test_damaged_middle_loses_only_the_frames_that_depend_on_it(tmp_path):
    path = write_video(
        tmp_path / "damaged.mp4", noisy_frames(120), options={"g": "10", "bf": "0", "qp": "20"}
    )
    places = packet_places(path)
    size = path.stat().st_size
    assert size > 60_000
    hit = [
        number
        for number, (position, length) in enumerate(places)
        if position + length > (size - 20_000) // 2 and position < (size + 20_000) // 2
    ]
    indices, _, seconds, warnings = read_all(scramble_middle(path, 20_000))
    untouched = set(range(hit[0])) | set(range(hit[-1] // 10 * 10 + 10, 120))
    assert untouched <= set(indices)
    assert indices == sorted(set(indices))
    np.testing.assert_allclose(seconds, np.array(indices) / 25, atol=1e-6)
    assert len(warnings) == 1
    assert warnings[0].startswith("damaged video")


@pytest.mark.slow
def test_frames_after_the_damage_keep_their_true_content(tmp_path):
    path = write_video(
        tmp_path / "damaged.mp4", noisy_frames(120), options={"g": "10", "bf": "0", "qp": "20"}
    )
    indices, codes, _, _ = read_all(scramble_middle(path, 20_000))
    pairs = [(index, code) for index, code in zip(indices, codes, strict=True) if not 40 <= index < 80]
    assert pairs == [(index, index) for index, _ in pairs]


def test_zeroed_last_packets_lose_only_themselves(tmp_path):
    path = write_video(tmp_path / "zeroed.mp4", noisy_frames(60), options={"bf": "0"})
    indices, codes, _, warnings = read_all(zero_last_packets(path, 5))
    assert indices == codes == list(range(55))
    assert warnings == ["damaged video: 5 packets could not be decoded, first near 2.20 s"]


def test_transport_stream_with_lost_packets_goes_on_after_them(tmp_path):
    path = write_video(tmp_path / "lossy.ts", noisy_frames(120), options={"g": "10", "bf": "0"})
    _, codes, seconds, warnings = read_all(scramble_middle(path, 20_000))
    assert set(range(30)) <= set(codes)
    assert set(range(100, 120)) <= set(codes)
    assert list(seconds) == sorted(seconds)
    assert len(warnings) == 1


class StumblingContainer:
    """Breaks off once as PyAV does, now and then, where a transport stream adds a track midway."""

    def __init__(self, container):
        self.container = container
        self.stumbled = False

    def demux(self, streams):
        packets = self.container.demux(streams)
        if not self.stumbled:
            yield from islice(packets, 3)
            self.stumbled = True
            raise IndexError("list index out of range")
        yield from packets


def test_track_that_starts_midway_does_not_end_the_reading(tmp_path):
    path = write_video(tmp_path / "stream.ts", coded_frames(10), options={"bf": "0"})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stumbling, log = StumblingContainer(container), DamageLog()
        clock, order = Timeline(Fraction(0)).of(stream), DisplayOrder()
        frames = list(decoding.decode(stumbling, stream, "AUTO", clock, log, order))  # pyright: ignore
    assert stumbling.stumbled
    assert len(frames) == 10
    assert not log.seen


@pytest.mark.parametrize("bf", ["0", "2"])
def test_one_bad_last_packet_is_noticed(tmp_path, bf):
    path = write_video(tmp_path / "zeroed.mp4", noisy_frames(30), options={"bf": bf})
    indices, codes, _, warnings = read_all(zero_last_packets(path, 1))
    assert len(indices) == 29
    assert indices == codes
    assert warnings[0].startswith("damaged video: 1 packets could not be decoded")


@pytest.mark.parametrize("threads", [1, 4])
def test_frames_of_a_damaged_file_do_not_depend_on_the_number_of_cores(tmp_path, monkeypatch, threads):
    path = write_video(tmp_path / "zeroed.mp4", noisy_frames(60), options={"bf": "2"})
    zero_last_packets(path, 5)
    monkeypatch.setattr(decoding.os, "cpu_count", lambda: threads)
    indices, *_ = read_all(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        num_decodable = 0
        for packet in container.demux(stream):
            with suppress(FFmpegError):
                num_decodable += len(packet.decode())
    assert len(indices) == num_decodable


def text_file(path):
    path.write_text("This is not a video.\n" * 100)


def empty_file(path):
    path.write_bytes(b"")


def folder(path):
    path.mkdir()


def nothing(path):
    pass


def pipe(path):
    os.mkfifo(path)


def no_moov(path):
    write_video(path, coded_frames(10), muxer="mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def audio_only(path):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def playlist(path):
    write_video(path.with_name("real.ts"), coded_frames(5))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\nreal.ts\n#EXT-X-ENDLIST\n")


def all_packets_zeroed(path):
    zero_last_packets(write_video(path, coded_frames(10), muxer="mp4"), 10)


def gigantic_frame(path):
    """A PNG whose header announces 30000 x 30000 pixels."""
    write_video(path, coded_frames(1), codec="png", pixel_format="rgb24", muxer="image2pipe")
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 30000, 30000)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (text_file, "notes.txt", "text or a playlist"),
        (text_file, "notes.mp4", "cannot be opened"),
        (empty_file, "empty.mp4", "is empty"),
        (folder, "folder.mp4", "is a folder"),
        (nothing, "missing.mp4", "does not exist"),
        (pipe, "pipe.mp4", "device or pipe"),
        (no_moov, "no_moov.mp4", "cannot be opened"),
        (audio_only, "sound.wav", "no picture track"),
        (playlist, "list.m3u8", "text or a playlist"),
        (all_packets_zeroed, "zeroed.mp4", "not one frame"),
        (gigantic_frame, "gigantic.png", "is a picture"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path, make, name, reason):
    path = tmp_path / name
    make(path)
    with pytest.raises(VideoError, match=reason) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_large_frames_are_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "large.mp4", coded_frames(2))
    monkeypatch.setattr(limits, "MAX_PIXELS", 64 * 96 - 1)
    with pytest.raises(VideoError, match="96x64, at most 6,143 pixels"):
        open_video(path)


def test_endless_failures_end_the_reading(tmp_path, monkeypatch):
    path = write_video(tmp_path / "zeroed.mp4", coded_frames(60), options={"bf": "0"})
    zero_last_packets(path, 50)
    monkeypatch.setattr(limits, "MAX_FAILURES_IN_A_ROW", 20)
    indices, _, _, warnings = read_all(path)
    assert indices == list(range(10))
    assert "reading stopped there" in warnings[0]


def test_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    video = write_video(tmp_path / "closed.mp4", coded_frames(3))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(VideoError, match=r"closed\.mp4 may not be read; change its permissions"):
        open_video(video)


def test_frames_can_be_read_only_once(tmp_path):
    with open_video(write_video(tmp_path / "video.mp4", coded_frames(3))) as reader:
        assert len(list(reader)) == 3
        with pytest.raises(RuntimeError, match="once"):
            next(iter(reader))


def test_held_frame_outlives_the_reader(tmp_path):
    with open_video(write_video(tmp_path / "video.mp4", coded_frames(3))) as reader:
        frame = list(reader)[2]
    assert read_code(frame.rgb()) == 2


def test_only_the_frame_in_hand_is_kept_alive(tmp_path):
    path = write_video(tmp_path / "long.mp4", coded_frames(250, (32, 64)))
    alive = weakref.WeakSet()
    most_alive = 0
    gc.disable()  # Reference counts alone must free the frames.
    try:
        with open_video(path) as reader:
            for frame in reader:
                alive.add(frame.convert)
                most_alive = max(most_alive, len(alive))
    finally:
        gc.enable()
    assert most_alive <= 2


def test_many_target_sizes_do_not_pile_up_converters(tmp_path):
    with PyavReader(write_video(tmp_path / "video.mp4", coded_frames(1))) as reader:
        frame = next(iter(reader))
        for longest_side in range(20, 60):
            assert frame.rgb(longest_side).shape[1] == longest_side
        assert len(reader._converter._reformatters) <= 4


def test_damage_prints_nothing(tmp_path):
    path = write_video(tmp_path / "damaged.mp4", noisy_frames(60), options={"bf": "0"})
    scramble_middle(path, 5_000)
    code = f"from deepfake_ssat.video import open_video\nwith open_video({str(path)!r}) as r: list(r)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == ("", "")


def test_readers_agree_with_opencv_on_real_videos(shared_data):
    cv2 = pytest.importorskip("cv2")
    path = sorted((shared_data / "real_videos" / "lipreadingquiz").glob("*.mp4"))[0]
    capture = cv2.VideoCapture(str(path))
    with open_video(path) as reader:
        for frame, _ in zip(reader, range(20), strict=False):
            decoded, picture = capture.read()
            assert decoded
            assert np.abs(frame.rgb().astype(int) - picture[:, :, ::-1]).mean() < 2
