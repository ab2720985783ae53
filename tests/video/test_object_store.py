"""Files of object stores: listed, brought within limits, taken up again, refused in one line."""

import os
import sys

import pytest

from deepfake_ssat.errors import LinkError
from deepfake_ssat.video import transfer
from deepfake_ssat.video.object_store import StoredObject, fetch, is_stored, list_objects
from tests.stores import MODIFIED, buckets, dated  # noqa: F401

DATA = bytes(range(256)) * 4000


@pytest.fixture
def bucket(buckets, monkeypatch):  # noqa: F811
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("deepfake_ssat.video.object_store.PIECE", 100_000)
    folder = buckets / "bucket"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "a.MP4").write_bytes(DATA)
    (folder / "deep/er/b c.mp4").write_bytes(b"b")
    (folder / "empty.mp4").touch()
    return dated(folder)


@pytest.fixture
def breaking(monkeypatch):
    """Lets reads fail: a list of what happens at each, nothing where it is empty."""
    import s3fs

    faults, seeks = [], []
    opens = s3fs.S3FileSystem._open

    class File:
        def __init__(self, file):
            self._file = file

        def seek(self, place):
            seeks.append(place)
            return self._file.seek(place)

        def read(self, size):
            fault = faults.pop(0) if faults else None
            if fault:
                raise fault
            return self._file.read(size)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

    monkeypatch.setattr(s3fs.S3FileSystem, "_open", lambda *given, **named: File(opens(*given, **named)))
    return faults, seeks


def test_addresses_of_stores_are_told_from_others():
    assert [is_stored(text) for text in ("s3://b/v.mp4", "gs://b", "https://h/v.mp4", "s3:/b", "a.mp4")] == [
        *(True, True, False, False, False)
    ]


def test_folder_lists_what_is_below_it_and_a_file_itself(bucket):
    found = {item.url: item for item in list_objects("s3://bucket/")}
    assert sorted(found) == ["s3://bucket/a.MP4", "s3://bucket/deep/er/b c.mp4", "s3://bucket/empty.mp4"]
    assert list_objects("s3://bucket/a.MP4") == [
        StoredObject("s3://bucket/a.MP4", len(DATA), MODIFIED * 1_000_000_000)
    ]


def test_file_is_brought_whole_under_its_kind(bucket, tmp_path):
    file = fetch("s3://bucket/a.MP4", tmp_path, 2)
    assert (file.name, file.read_bytes()) == ("video.mp4", DATA)


def test_break_is_taken_up_where_it_was(bucket, breaking, tmp_path):
    faults, seeks = breaking
    faults += [None, None, ConnectionResetError("reset"), None, RuntimeError("of the package's own")]
    assert fetch("s3://bucket/a.MP4", tmp_path, 2).read_bytes() == DATA
    assert seeks == [0, 200_000, 300_000]


def test_file_that_changed_meanwhile_comes_anew(bucket, breaking, tmp_path):
    faults, seeks = breaking

    class ChangeError(ConnectionResetError):
        def __init__(self):
            os.utime(bucket / "a.MP4", (MODIFIED + 5, MODIFIED + 5))

    faults += [None, ChangeError]
    assert fetch("s3://bucket/a.MP4", tmp_path, 2).read_bytes() == DATA
    assert seeks == [0, 0]


def test_endless_breaks_end_in_one_line(bucket, breaking, tmp_path):
    faults, _ = breaking
    faults += [None, *[ConnectionResetError("reset")] * 9]
    with pytest.raises(LinkError, match=r"s3://bucket/a.MP4: broke off 5 times \(reset\); try again"):
        fetch("s3://bucket/a.MP4", tmp_path, 2)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket/absent.mp4", "is not there; check the address"),
        ("s3://bucket/empty.mp4", "gives an empty file"),
        ("s3://bucket/a.MP4", "is larger than 0.5 MB; allow more with --max-download"),
        ("s3://bucket/deep", "is a folder; give the address of one file"),
    ],
)
def test_refusals_are_one_line(bucket, tmp_path, url, message):
    with pytest.raises(LinkError, match=f"^{url}: {message}") as caught:
        fetch(url, tmp_path, 0.5)
    assert "\n" not in str(caught.value)


def test_store_that_fails_is_one_line(bucket, monkeypatch):
    import s3fs

    def fail(*_, **__):
        raise RuntimeError("Unable to locate\ncredentials")

    monkeypatch.setattr(s3fs.S3FileSystem, "info", fail)
    with pytest.raises(
        LinkError, match=r"cannot be listed \(Unable to locate credentials\); check address, c"
    ):
        list_objects("s3://bucket/a.MP4")


def test_password_in_an_address_is_refused_without_saying_it():
    with pytest.raises(LinkError) as caught:
        list_objects("s3://name:secret@bucket/a.mp4")
    assert "secret" not in str(caught.value)
    with pytest.raises(LinkError, match="names bucket and file"):
        list_objects("s3:///a.mp4")


def test_missing_package_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(
        LinkError, match=r"needs fsspec and gcsfs; pip install 'deepfake-ssat\[remote\]' gcsfs"
    ):
        list_objects("gs://bucket/a.mp4")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(LinkError, match="needs fsspec and s3fs"):
        list_objects("s3://bucket/a.mp4")
