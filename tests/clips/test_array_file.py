"""MedMNIST-style npz files: read as they are, refused clearly where they break the layout."""

import numpy as np
import pytest

from deepfake_ssat.clips.array_file import read_array_file
from deepfake_ssat.clips.images import read_pictures
from deepfake_ssat.config import ArrayFile
from deepfake_ssat.errors import ConfigError, CorpusError


def _arrays(channels: int | None = None) -> dict[str, np.ndarray]:
    """Train, val and test of 6, 4 and 2 pictures whose pixels all equal their running number."""
    arrays, first = {}, 0
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        numbers = np.arange(first, first + count, dtype=np.uint8)
        shape = (count, 8, 8) if channels is None else (count, 8, 8, channels)
        arrays[f"{split}_images"] = np.broadcast_to(numbers.reshape(-1, *[1] * (len(shape) - 1)), shape)
        arrays[f"{split}_labels"] = (numbers % 2)[:, None]
        first += count
    return arrays


def _saved(folder, **changes) -> ArrayFile:
    arrays = {key: value for key, value in {**_arrays(), **changes}.items() if value is not None}
    np.savez(folder / "set.npz", **arrays)
    return ArrayFile(path=folder / "set.npz")


def _numbers(pictures) -> list[int]:
    return [int(pictures.load(index)[0, 0, 0]) for index in range(len(pictures.labels))]


def test_grey_pictures_keep_one_channel(tmp_path):
    pictures = read_array_file(_saved(tmp_path), "train")
    assert pictures.channels == 1
    assert pictures.load(3).shape == (8, 8, 1)
    assert pictures.labels == (0, 1, 0, 1, 0, 1)
    assert pictures.class_names == ("0", "1")


def test_colour_pictures_keep_three(tmp_path):
    pictures = read_array_file(_saved(tmp_path, **_arrays(3)), "val")
    assert pictures.load(0).shape == (8, 8, 3)


def test_splits_are_the_files_own(tmp_path):
    source = _saved(tmp_path)
    assert _numbers(read_array_file(source, "train")) == [0, 1, 2, 3, 4, 5]
    assert _numbers(read_array_file(source, "val")) == [6, 7, 8, 9]
    assert _numbers(read_array_file(source, "test")) == [10, 11]


def test_train_on_val_trains_on_both_and_watches_test(tmp_path):
    source = _saved(tmp_path).model_copy(update={"train_on_val": True})
    assert _numbers(read_pictures(source, "train")) == list(range(10))
    assert _numbers(read_pictures(source, "val")) == [10, 11]
    assert _numbers(read_pictures(source, "test")) == [10, 11]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": None}, "has no train_labels .it holds test_images"),
        ({"train_labels": np.zeros((5, 1), np.uint8)}, "train has 6 images and 5 labels"),
        ({"train_labels": np.zeros((6, 14), np.uint8)}, "one class number a picture"),
        ({"train_labels": np.full((6, 1), -1)}, "one class number a picture"),
        ({"train_labels": np.zeros((6, 1))}, "one class number a picture"),
        ({"train_images": np.zeros((6, 8, 8))}, "must be uint8"),
        ({"train_images": np.zeros((6, 8), np.uint8)}, "must be uint8"),
        ({"train_images": np.zeros((6, 8, 8, 8), np.uint8)}, "must be uint8"),
        (
            {"train_images": np.zeros((0, 8, 8), np.uint8), "train_labels": np.zeros((0, 1), int)},
            "train has 0 images",
        ),
        ({"train_images": np.array([{"code": "object"}] * 6)}, "no readable npz of plain arrays"),
    ],
)
def test_broken_layout_is_refused_by_name(tmp_path, changes, message):
    with pytest.raises(CorpusError, match=message) as caught:
        read_array_file(_saved(tmp_path, **changes), "train")
    assert "set.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_file_is_no_npz(tmp_path):
    (tmp_path / "set.npz").write_text("hello")
    with pytest.raises(CorpusError, match="no readable npz"):
        read_array_file(ArrayFile(path=tmp_path / "set.npz"), "train")


def test_truncated_file_is_refused(tmp_path):
    source = _saved(tmp_path)
    data = source.path.read_bytes()
    source.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorpusError, match="no readable npz"):
        read_array_file(source, "train")


def test_missing_file_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file; .*medmnist\.com"):
        read_array_file(ArrayFile(path=tmp_path / "absent.npz"), "train")
    with pytest.raises(ConfigError, match="is a folder; give the MedMNIST-style npz"):
        read_array_file(ArrayFile(path=tmp_path), "train")


@pytest.mark.shared_data
def test_pneumoniamnist_has_the_papers_counts(shared_data):
    path = shared_data / "pneumoniamnist" / "pneumoniamnist.npz"
    source = ArrayFile(path=path, train_on_val=True)
    assert len(read_pictures(source, "train").labels) == 5232
    assert len(read_pictures(source, "val").labels) == 624
    assert read_pictures(source, "train").load(0).shape == (28, 28, 1)
