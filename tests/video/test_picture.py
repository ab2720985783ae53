"""Still pictures as videos of one frame."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import picture
from deepfake_ssat.video.picture import PictureReader


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
