"""CIFAR's official pickles: read as data, never as code."""

import pickle
import struct

import numpy as np
import pytest

from deepfake_ssat.clips.cifar import read_cifar
from deepfake_ssat.config import Cifar
from deepfake_ssat.errors import ConfigError, CorpusError

_PLANES = 3 * 32 * 32


def _python2_array(rows: np.ndarray) -> bytes:
    """Opcodes of a (N, 3072) uint8 array as python 2 wrote them: byte strings, flags as integers."""
    data = rows.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01M" + struct.pack("<H", len(rows)) + b"M" + struct.pack("<H", _PLANES) + b"\x86"
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", len(data)) + data + b"tb"
    )


def _python2_batch(rows: np.ndarray, labels: list[int]) -> bytes:
    """A whole data_batch file as python 2 wrote it, protocol 2."""
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x03oneU\x06labels](" + numbers + b"eU\x04data" + _python2_array(rows)
    ) + b"u."


def _rows(first: int, count: int) -> np.ndarray:
    """Pictures whose red plane is the running number, green that plus 100, blue a ramp over the columns."""
    rows = np.zeros((count, 3, 32, 32), np.uint8)
    numbers = np.arange(first, first + count, dtype=np.uint8)[:, None, None]
    rows[:, 0], rows[:, 1], rows[:, 2] = numbers, numbers + 100, np.arange(32)
    return rows.reshape(count, _PLANES)


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number in range(5):
        batch = _python2_batch(_rows(4 * number, 4), [number, number, 9, 0])
        (folder / f"data_batch_{number + 1}").write_bytes(batch)
    (folder / "test_batch").write_bytes(_python2_batch(_rows(20, 3), [1, 2, 3]))
    names = {b"label_names": [f"class{number}".encode() for number in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    return tmp_path


def test_pictures_are_rgb_in_rows_and_columns(cifar10):
    pictures = read_cifar(Cifar(root=cifar10, val_images=5), "train")
    picture = pictures.load(7)
    assert picture.shape == (32, 32, 3)
    assert (picture[..., 0] == 7).all()
    assert (picture[..., 1] == 107).all()
    assert (picture[..., 2] == np.arange(32)).all()
    assert pictures.class_names[3] == "class3"


def test_last_pictures_of_train_are_held_out(cifar10):
    source = Cifar(root=cifar10, val_images=5)
    numbers = {
        split: [int(pictures.load(index)[0, 0, 0]) for index in range(len(pictures.labels))]
        for split in ("train", "val", "test")
        for pictures in [read_cifar(source, split)]
    }
    assert numbers == {"train": list(range(15)), "val": list(range(15, 20)), "test": [20, 21, 22]}
    assert read_cifar(source, "val").labels == (0, 4, 4, 9, 0)


def test_root_may_be_the_folder_itself(cifar10):
    source = Cifar(root=cifar10 / "cifar-10-batches-py", val_images=1)
    assert len(read_cifar(source, "train").labels) == 19


def test_cifar_100_is_read_by_its_fine_labels(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, count in (("train", 6), ("test", 2)):
        batch = {b"data": _rows(0, count), b"fine_labels": [99] * count, b"coarse_labels": [0] * count}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"fine_label_names": [b"name"] * 100}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    pictures = read_cifar(Cifar(root=tmp_path, val_images=2), "train")
    assert pictures.labels == (99,) * 4
    assert len(pictures.class_names) == 100


class _Touch:
    """A pickle that creates a file when loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_malicious_pickle_is_refused_and_not_run(cifar10, tmp_path, protocol):
    trap = tmp_path / "executed"
    attack = pickle.dumps({b"data": _rows(0, 4), b"labels": _Touch(trap)}, protocol=protocol)
    (cifar10 / "cifar-10-batches-py" / "data_batch_2").write_bytes(attack)
    with pytest.raises(CorpusError, match=r"data_batch_2: is no CIFAR file \(asks for"):
        read_cifar(Cifar(root=cifar10, val_images=5), "train")
    assert not trap.exists()


def test_array_of_objects_is_refused(cifar10):
    values = {b"data": np.array([[None]]), b"labels": [0]}
    (cifar10 / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(values, protocol=2))
    with pytest.raises(CorpusError, match="not of numbers"):
        read_cifar(Cifar(root=cifar10, val_images=5), "test")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], "holds a list"),
        ({b"labels": [0]}, "data must be uint8"),
        ({b"data": _rows(0, 2).astype(np.int32), b"labels": [0, 0]}, "data must be uint8"),
        ({b"data": _rows(0, 2), b"labels": [0]}, "one class number for each of 2 rows"),
        ({b"data": _rows(0, 1), b"labels": [10]}, "names 10 classes, labels reach 10"),
        ({b"data": _rows(0, 1), b"labels": ["0"]}, "one class number for each of 1 rows"),
    ],
)
def test_broken_batch_is_refused_by_name(cifar10, values, message):
    (cifar10 / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(values, protocol=2))
    with pytest.raises(CorpusError, match=message):
        read_cifar(Cifar(root=cifar10, val_images=5), "test")


def test_truncated_batch_is_refused(cifar10):
    path = cifar10 / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CorpusError, match="test_batch: is no CIFAR file"):
        read_cifar(Cifar(root=cifar10, val_images=5), "test")


def test_missing_batch_folder_and_too_large_hold_out_are_config_errors(cifar10, tmp_path):
    with pytest.raises(ConfigError, match=r"it holds neither; .*cs\.toronto\.edu"):
        read_cifar(Cifar(root=tmp_path / "absent"), "train")
    with pytest.raises(ConfigError, match=r"val_images is 20, .* has 20 training pictures"):
        read_cifar(Cifar(root=cifar10, val_images=20), "train")
    (cifar10 / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(ConfigError, match="data_batch_3: is missing"):
        read_cifar(Cifar(root=cifar10, val_images=5), "train")
