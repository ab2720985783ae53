"""Folders of pictures by class."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.clips.image_folder import read_image_folder
from deepfake_ssat.config import ImageFolder
from deepfake_ssat.errors import ConfigError, CorpusError


def _save(path, colour=(10, 20, 30), size=(6, 4), mode="RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        for name in ("zebra", "ant"):
            _save(tmp_path / split / name / "1.png")
            _save(tmp_path / split / name / "2.jpg")
            (tmp_path / split / name / "notes.txt").write_text("no picture")
    return tmp_path


def test_classes_are_sorted_and_other_files_ignored(root):
    pictures = read_image_folder(ImageFolder(root=root), "train")
    assert pictures.class_names == ("ant", "zebra")
    assert pictures.labels == (0, 0, 1, 1)
    assert pictures.names == ("train/ant/1.png", "train/ant/2.jpg", "train/zebra/1.png", "train/zebra/2.jpg")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_pictures_of_any_mode_become_rgb(root, mode):
    _save(root / "val" / "ant" / "1.png", colour=(255, 255, 255), mode=mode)
    picture = read_image_folder(ImageFolder(root=root), "val").load(0)
    assert picture.shape == (4, 6, 3)
    assert (picture == 255).all()


def test_camera_rotation_is_applied(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(root / "val" / "ant" / "1.png", exif=exif)
    assert read_image_folder(ImageFolder(root=root), "val").load(0).shape == (6, 4, 3)


def test_differing_classes_are_refused_with_both_lists(root):
    _save(root / "val" / "bee" / "1.png")
    with pytest.raises(ConfigError, match="ant, zebra and val has ant, bee, zebra"):
        read_image_folder(ImageFolder(root=root), "train")


def test_missing_split_empty_classes_and_single_class_are_refused(root, tmp_path):
    with pytest.raises(ConfigError, match="absent/train: no such folder"):
        read_image_folder(ImageFolder(root=tmp_path / "absent"), "train")
    for split in ("train", "val"):
        (tmp_path / "one" / split / "only").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds 1 class folders"):
        read_image_folder(ImageFolder(root=tmp_path / "one"), "train")
    for split in ("train", "val"):
        (tmp_path / "one" / split / "other").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds no picture"):
        read_image_folder(ImageFolder(root=tmp_path / "one"), "train")


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_damaged_picture_is_named(root, content):
    (root / "train" / "ant" / "1.png").write_bytes(content)
    pictures = read_image_folder(ImageFolder(root=root), "train")
    with pytest.raises(CorpusError, match=r"train/ant/1\.png: cannot be read"):
        pictures.load(0)


def test_truncated_picture_is_named(root):
    path = root / "train" / "ant" / "1.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CorpusError, match=r"1\.png: cannot be read"):
        read_image_folder(ImageFolder(root=root), "train").load(0)
