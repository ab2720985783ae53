"""Clip files: lossless, seekable, whole or absent, and the same through decord and PyAV."""

import os

import numpy as np
import pytest

from deepfake_ssat.clips import storage
from deepfake_ssat.clips.storage import ClipWriter, count_frames, read_frames
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.video import open_video
from tests.video.damaging import cut_in_half, packet_places, zero_last_packets


def noise(num_frames, height, width):
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


@pytest.fixture
def pixels():
    return noise(50, 48, 64)


@pytest.fixture
def clip(tmp_path, pixels):
    path = tmp_path / "clips" / "track000_00.mp4"
    with ClipWriter(path, 25) as writer:
        writer.write(pixels[:20])
        writer.write(pixels[20:])
    return path


READERS = ["decord", "pyav"]


@pytest.fixture(params=READERS)
def library(request, monkeypatch):
    """Each test with it runs with decord, and as on a machine that has no wheel of it."""
    if request.param == "pyav":
        monkeypatch.setattr(storage, "decord", None)
    elif storage.decord is None:
        pytest.skip("decord has no wheel for this machine")
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize(
    "indices",
    [range(16), range(34, 50), [49], [30, 3, 3, 49, 0], range(0, 50, 7), [15, 16, 17], range(50)],
    ids=str,
)
def test_any_frames_come_back_bit_by_bit_in_the_order_asked(clip, pixels, library, indices):
    read = read_frames(clip, list(indices))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels[list(indices)])


def test_compressed_clip_is_smaller_and_close_and_as_seekable(tmp_path, library):
    frames = np.concatenate([np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))[None, :, :, None]] * 40)
    frames = np.repeat(frames, 3, axis=3) // 2 + noise(40, 48, 64) // 8
    sizes = {}
    for crf in (0, 10, 25):
        with ClipWriter(tmp_path / f"{crf}.mp4", 25, crf) as writer:
            writer.write(frames)
        sizes[crf] = (tmp_path / f"{crf}.mp4").stat().st_size
        read = read_frames(tmp_path / f"{crf}.mp4", [17, 39, 0])
        error = np.abs(read.astype(int) - frames[[17, 39, 0]]).mean()
        assert error == 0 if crf == 0 else 0 < error < crf / 2
    assert sizes[25] < sizes[10] < sizes[0]


def test_decord_itself_gives_the_pixels_that_pyav_gives(clip, pixels):
    pytest.importorskip("decord")
    indices = [40, 3, 3, 17]
    np.testing.assert_array_equal(storage._read_with_decord(clip, indices), pixels[indices])
    np.testing.assert_array_equal(storage._read_with_pyav(clip, indices), pixels[indices])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(224, 224), (33, 47), (16, 16), (24, 24), (2, 31)])
def test_every_size_is_lossless_odd_ones_too(tmp_path, library, size):
    pixels = noise(20, *size)
    with ClipWriter(tmp_path / "clip.mp4", 30000 / 1001) as writer:
        writer.write(pixels)
    np.testing.assert_array_equal(read_frames(tmp_path / "clip.mp4", [0, 7, 19]), pixels[[0, 7, 19]])


@pytest.mark.parametrize("fps", [25, 23.976, 30000 / 1001, 59.94, 7.5])
def test_ordinary_readers_see_frames_rate_and_codec(tmp_path, fps):
    pixels = noise(20, 32, 32)
    with ClipWriter(tmp_path / "clip.mp4", fps) as writer:
        writer.write(pixels)
    with open_video(tmp_path / "clip.mp4") as reader:
        np.testing.assert_array_equal([frame.rgb() for frame in reader], pixels)
    assert reader.metadata.fps == pytest.approx(fps, rel=1e-5)
    assert reader.metadata.codec == "h264"
    assert reader.metadata.num_frames == count_frames(tmp_path / "clip.mp4") == 20


def test_same_frames_make_the_same_bytes(tmp_path, pixels, clip):
    with ClipWriter(tmp_path / "again.mp4", 25) as writer:
        for picture in pixels:
            writer.write(picture[None])
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()


def test_file_has_its_name_only_when_complete(tmp_path, pixels):
    writer = ClipWriter(tmp_path / "clip.mp4", 25)
    writer.write(pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4.part"]
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_exception_leaves_nothing_and_keeps_an_earlier_file(clip, pixels):
    before = clip.read_bytes()

    def write_half():
        with ClipWriter(clip, 25) as writer:
            writer.write(pixels[:5])
            raise KeyError("interrupted")

    with pytest.raises(KeyError):
        write_half()
    assert [path.name for path in clip.parent.iterdir()] == [clip.name]
    assert clip.read_bytes() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_leaves_nothing_half_written(tmp_path, pixels):
    (tmp_path / "clip.mp4.part").symlink_to("/dev/full")
    writer = ClipWriter(tmp_path / "clip.mp4", 25)
    with pytest.raises(OSError, match="No space left on device"), writer:
        writer.write(pixels)
    assert list(tmp_path.iterdir()) == []


def test_leftover_of_a_killed_run_is_overwritten(tmp_path, pixels):
    (tmp_path / "clip.mp4.part").write_bytes(b"half a clip")
    with ClipWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_clip_without_frames_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        ClipWriter(tmp_path / "clip.mp4", 25).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3), np.float32)])
def test_pixels_of_another_kind_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"must be \(T, H, W, 3\) uint8"):
        ClipWriter(tmp_path / "clip.mp4", 25).write(wrong)


def test_change_of_size_is_refused(tmp_path, pixels):
    with ClipWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(pixels)
        with pytest.raises(ValueError, match="frames of 32x48 in a clip of 64x48"):
            writer.write(pixels[:, :, :32])


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_impossible_rate_is_refused(tmp_path, fps):
    with pytest.raises(ValueError, match="fps is"):
        ClipWriter(tmp_path / "clip.mp4", fps)


def zero_a_key_packet(path):
    position, size = packet_places(path)[32]
    data = bytearray(path.read_bytes())
    data[position : position + size] = bytes(size)
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        zero_a_key_packet,
        lambda path: zero_last_packets(path, 18),
        cut_in_half,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not a clip"),
        lambda path: path.unlink(),
    ],
    ids=["key packet zeroed", "tail zeroed", "cut in half", "empty", "text", "missing"],
)
def test_damaged_clip_is_named_in_one_line(clip, library, damage):
    damage(clip)
    with pytest.raises(ManifestError) as caught:
        read_frames(clip, range(32, 48))
    assert str(clip) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "run preprocess again" in str(caught.value)


@pytest.mark.parametrize(
    "damage", [cut_in_half, lambda path: path.write_bytes(b""), lambda path: path.unlink()]
)
def test_counting_frames_of_a_damaged_clip_names_it(clip, damage):
    damage(clip)
    with pytest.raises(ManifestError, match=clip.name):
        count_frames(clip)


def test_frame_beyond_the_end_is_refused_with_the_count(clip, library):
    with pytest.raises(ManifestError, match="has 50 frames, frame 50 was asked for"):
        read_frames(clip, [49, 50])


@pytest.mark.parametrize("indices", [[], [-1, 0]])
def test_impossible_indices_are_a_mistake(clip, library, indices):
    with pytest.raises(ValueError, match="one or more numbers from 0"):
        read_frames(clip, indices)
