"""Still pictures as videos of one frame."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import picture
from deepfake_ssat.video.picture import PictureReader, is_still
from tests.videos import write_video


def _save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_picture_is_one_frame(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    with PictureReader(_save(tmp_path / "a.png", pixels)) as reader:
        (frame,) = reader
    assert (frame.index, frame.seconds) == (0, 0.0)
    assert np.array_equal(frame.rgb(), pixels)
    assert frame.rgb(longest_side=4).shape == (3, 4, 3)
    assert (reader.metadata.width, reader.metadata.height, reader.metadata.num_frames) == (8, 6, 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_usual_formats_and_grey_pictures_become_rgb(tmp_path, name):
    with PictureReader(_save(tmp_path / name, np.full((16, 16), 90, np.uint8))) as reader:
        assert next(iter(reader)).rgb().shape == (16, 16, 3)


def test_camera_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    with PictureReader(_save(tmp_path / "a.jpg", np.zeros((4, 6, 3), np.uint8), exif=exif)) as reader:
        assert (reader.metadata.width, reader.metadata.height) == (4, 6)


def test_unreadable_and_oversized_pictures_are_refused(tmp_path, monkeypatch):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(VideoError, match=r"text\.jpg cannot be read as a picture"):
        PictureReader(tmp_path / "text.jpg")
    cut = _save(tmp_path / "cut.png", np.zeros((64, 64, 3), np.uint8))
    cut.write_bytes(cut.read_bytes()[:60])
    with pytest.raises(VideoError, match=r"cut\.png cannot be read as a picture"):
        PictureReader(cut)
    monkeypatch.setattr(picture, "MAX_PIXELS", 10)
    with pytest.raises(VideoError, match=r"is 4x4, at most 10 pixels"):
        PictureReader(_save(tmp_path / "large.png", np.zeros((4, 4, 3), np.uint8)))


def test_animations_and_videos_are_no_stills(tmp_path):
    frames = [Image.fromarray(np.full((16, 16, 3), grey, np.uint8)) for grey in (0, 255)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert not is_still(tmp_path / name)
        frames[0].save(tmp_path / name)
        assert is_still(tmp_path / name)
    write_video(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.uint8)] * 2)
    assert not is_still(tmp_path / "a.mp4")


def test_picture_tells_when_and_with_what_it_was_taken(tmp_path):
    exif = Image.Exif()
    exif[0x0131] = "Camera 1.0\n"
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    with PictureReader(_save(tmp_path / "a.jpg", np.zeros((4, 6, 3), np.uint8), exif=exif)) as reader:
        assert (reader.metadata.encoder, reader.metadata.created) == ("Camera 1.0", "2024:05:06 07:08:09")


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 20)
    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(VideoError, match=r"needs pillow-heif: pip install 'deepfake-ssat\[heic\]'"):
        is_still(tmp_path / "a.heic")


def test_heic_of_a_phone_is_read(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    pixels = np.full((64, 96, 3), (200, 90, 40), np.uint8)
    heif.from_bytes(mode="RGB", size=(96, 64), data=pixels.tobytes()).save(tmp_path / "a.heic")
    assert is_still(tmp_path / "a.heic")
    with PictureReader(tmp_path / "a.heic") as reader:
        shown = next(iter(reader)).rgb()
    assert shown.shape == pixels.shape
    np.testing.assert_allclose(shown.mean(axis=(0, 1)), pixels[0, 0], atol=4)
