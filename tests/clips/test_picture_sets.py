"""The paper's sets of pictures in their official layouts: splits, labels, and what is missing."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from deepfake_ssat.clips.images import PICTURE_READERS, image_dataset, read_pictures
from deepfake_ssat.config import Chaoyang, DomainNet, Flowers102, ImageFolder, Svhn
from deepfake_ssat.errors import ConfigError, CorpusError


def read(source, split):
    return PICTURE_READERS[source.kind](source, split)


def colour(number: int) -> tuple[int, int, int]:
    return (10 * number % 256, 100, 200)


def picture(path, number: int):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour(number)).save(path, quality=95)


def shown(pictures, index: int) -> int:
    """The number whose colour a picture has."""
    return round(float(pictures.load(index)[..., 0].mean()) / 10)


@pytest.fixture
def svhn(tmp_path):
    """Digit d, stored as class 10 where it is 0, has pixels of value 20 d."""
    for name, count in (("train", 40), ("test", 10)):
        digits = np.arange(count) % 10
        images = np.broadcast_to(20 * digits, (32, 32, 3, count)).astype(np.uint8)
        savemat(
            tmp_path / f"{name}_32x32.mat", {"X": images, "y": np.where(digits == 0, 10, digits)[:, None]}
        )
    return Svhn(root=tmp_path, val_fraction=0.25)


def test_svhn_splits_and_digits(svhn):
    parts = {split: read(svhn, split) for split in ("train", "val", "test")}
    assert {split: len(part.labels) for split, part in parts.items()} == {"train": 30, "val": 10, "test": 10}
    for part in parts.values():
        for index, label in enumerate(part.labels):
            assert part.load(index).shape == (32, 32, 3)
            assert (part.load(index) == 20 * label).all()
    assert sorted(parts["val"].labels) == list(range(10))
    assert {*parts["train"].names, *parts["val"].names} == {f"train/{index}" for index in range(40)}


def test_svhn_that_is_not_there_or_another_file(svhn):
    (svhn.root / "test_32x32.mat").write_bytes(b"MATLAB")
    with pytest.raises(CorpusError, match=r"has no X and y .*ufldl\.stanford\.edu"):
        read(svhn, "test")
    savemat(svhn.root / "test_32x32.mat", {"X": np.zeros((32, 32, 3, 2)), "y": np.ones((2, 1))})
    with pytest.raises(CorpusError, match=r"X is float64 .* must be uint8"):
        read(svhn, "test")
    (svhn.root / "train_32x32.mat").unlink()
    with pytest.raises(ConfigError, match=r"train_32x32\.mat: no such file; SVHN's cropped digits"):
        read(svhn, "val")


@pytest.fixture
def flowers(tmp_path):
    """Ten flowers of three kinds; picture n has colour n."""
    for number in range(1, 11):
        picture(tmp_path / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(tmp_path / "imagelabels.mat", {"labels": np.array([[1, 2, 3, 1, 2, 3, 1, 2, 3, 1]])})
    savemat(tmp_path / "setid.mat", {"trnid": [[2, 3, 10]], "valid": [[1, 5, 6]], "tstid": [[4, 7, 8, 9]]})
    return Flowers102(root=tmp_path)


def test_flowers_splits_are_the_official_ones(flowers):
    expected = {"train": ([2, 3, 10], (1, 2, 0)), "val": ([1, 5, 6], (0, 1, 2))}
    expected["test"] = ([4, 7, 8, 9], (0, 0, 1, 2))
    for split, (numbers, labels) in expected.items():
        part = read(flowers, split)
        assert [shown(part, index) for index in range(len(numbers))] == numbers
        assert part.labels == labels
        assert part.class_names == ("1", "2", "3")


def test_flowers_of_table_9_train_on_val_and_watch_test(flowers):
    watched = flowers.model_copy(update={"train_on_val": True})
    train = read_pictures(watched, "train")
    assert (len(train.labels), [shown(train, index) for index in range(6)]) == (6, [2, 3, 10, 1, 5, 6])
    val, test = (read_pictures(watched, split) for split in ("val", "test"))
    assert val.names == test.names == read(flowers, "test").names


def test_flowers_that_are_missing_are_asked_for(flowers):
    (flowers.root / "jpg" / "image_00004.jpg").unlink()
    with pytest.raises(ConfigError, match=r"image_00004\.jpg: no such file; Flowers102 is 102flowers\.tgz"):
        read(flowers, "test")
    savemat(flowers.root / "setid.mat", {"tstid": [[4, 11]]})
    with pytest.raises(CorpusError, match=r"names picture 11 of 10"):
        read(flowers, "test")


@pytest.fixture
def sketches(tmp_path):
    """Two of three classes in the train list; the class that it lacks is 1."""
    lists = {"train": [("axe", 0), ("cat", 2)] * 4, "test": [("axe", 0), ("bed", 1)]}
    number = 0
    for split, members in lists.items():
        lines = []
        for name, label in members:
            path = f"sketch/{name}/sketch_{label:03d}_{number:06d}.jpg"
            picture(tmp_path / path, number)
            lines.append(f"{path} {label}\n")
            number += 1
        (tmp_path / f"sketch_{split}.txt").write_text("".join(lines))
    return DomainNet(root=tmp_path, domain="sketch", val_fraction=0.25)


def test_domainnet_lists_say_split_and_class(sketches):
    test, train, val = (read(sketches, split) for split in ("test", "train", "val"))
    assert test.class_names == train.class_names == ("axe", "bed", "cat")
    assert (test.labels, [shown(test, index) for index in (0, 1)]) == ((0, 1), [8, 9])
    assert sorted(train.labels) == [0, 0, 0, 2, 2, 2]
    assert sorted(val.labels) == [0, 2]
    assert not set(train.names) & set(val.names)


def test_domainnet_lists_that_are_missing_or_wrong(sketches):
    with pytest.raises(ConfigError, match=r"clipart_train\.txt: no such file; DomainNet is clipart\.zip"):
        read(sketches.model_copy(update={"domain": "clipart"}), "train")
    (sketches.root / "sketch_test.txt").write_text("sketch/axe/1.jpg\n")
    with pytest.raises(CorpusError, match=r"line 1 is 'sketch/axe/1\.jpg', it must be a path and a class"):
        read(sketches, "test")
    (sketches.root / "sketch_test.txt").write_text("sketch/axe/lost.jpg 0\n")
    with pytest.raises(ConfigError, match=r"lost\.jpg: is not there"):
        read(sketches, "test")


def test_chaoyang_lists_say_split_and_class(tmp_path):
    for split, count in (("train", 8), ("test", 4)):
        entries = [{"name": f"{split}/{number}.JPG", "label": number % 4} for number in range(count)]
        for number, entry in enumerate(entries):
            picture(tmp_path / entry["name"], number)
        (tmp_path / f"{split}.json").write_text(json.dumps(entries))
    source = Chaoyang(root=tmp_path, val_fraction=0.5)
    test, train, val = (read(source, split) for split in ("test", "train", "val"))
    assert (test.labels, test.class_names[2]) == ((0, 1, 2, 3), "adenocarcinoma")
    assert sorted(train.labels) == sorted(val.labels) == [0, 1, 2, 3]
    (tmp_path / "test.json").write_text('[{"name": "test/0.JPG", "label": 4}]')
    with pytest.raises(CorpusError, match="labels beyond 0 to 3"):
        read(source, "test")
    (tmp_path / "test.json").write_text('["test/0.JPG"]')
    with pytest.raises(CorpusError, match="is no list of names and labels"):
        read(source, "test")
    (tmp_path / "train.json").unlink()
    with pytest.raises(ConfigError, match=r"train\.json: no such file; Chaoyang is"):
        read(source, "train")


@pytest.fixture
def folders(tmp_path):
    for number in range(16):
        split = "train" if number < 12 else "val"
        picture(tmp_path / split / ("cat" if number % 2 else "dog") / f"{number}.jpg", number)
    return ImageFolder(root=tmp_path, val_fraction=0.5)


def test_val_folder_is_the_test_split_where_part_of_train_validates(folders):
    train, val, test = (read(folders, split) for split in ("train", "val", "test"))
    assert {name.partition("/")[0] for name in (*train.names, *val.names)} == {"train"}
    assert len({*train.names, *val.names}) == 12
    assert all(name.startswith("val/") for name in test.names)
    usual = folders.model_copy(update={"val_fraction": 0.0})
    assert (len(read(usual, "train").names), read(usual, "val").names) == (12, test.names)
    with pytest.raises(ConfigError, match=r"test: no such folder; .* set data\.val_fraction.*image-net\.org"):
        read(usual, "test")


def test_part_of_the_training_pictures_is_drawn_by_class_and_nested(folders):
    """Figure 5: a half lies within three quarters; validation and test stay whole."""
    source = folders.model_copy(update={"val_fraction": 0.0})

    def names(fraction, split="train", seed=0):
        part = source.model_copy(update={"fraction": fraction})
        return image_dataset(part, split, 8, None, seed).videos

    half, most = names(0.5), names(0.84)
    assert set(half) < set(most) < set(names(1.0))
    assert [len([name for name in half if kind in name]) for kind in ("cat", "dog")] == [3, 3]
    assert len(names(0.01)) == 2
    assert {tuple(names(0.5, seed=seed)) for seed in range(4)} != {tuple(half)}
    assert len(names(0.5, "val")) == 4
