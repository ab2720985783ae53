"""What lies in a store is found as files of this machine are, and brought when it is read."""

import stat
import tempfile

import pytest

from deepfake_ssat.errors import CorpusError, LinkError, VideoError
from deepfake_ssat.video.mirror import mirrored
from tests.stores import MODIFIED, buckets, dated, opened  # noqa: F401


@pytest.fixture
def bucket(buckets):  # noqa: F811
    folder = buckets / "bucket"
    (folder / "frames/a").mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"a" * 1000)
    (folder / "labels.CSV").write_text("path,label\n")
    (folder / "empty.csv").touch()
    for number in range(2):
        (folder / f"frames/a/{number}.png").write_bytes(b"%d" % number)
    return dated(folder)


def test_files_stand_there_without_their_content_until_they_are_read(bucket):
    with mirrored(1) as mirror:
        root = mirror.show("s3://bucket/", contents=frozenset({".csv"}))
        assert opened(bucket.parent) == ["bucket/labels.CSV"]
        video = root / "a.mp4"
        facts = video.stat()
        assert (facts.st_size, facts.st_mtime, facts.st_blocks) == (1000, MODIFIED, 0)
        assert (root / "labels.CSV").read_text() == "path,label\n"
        assert mirror.url_of(video) == "s3://bucket/a.mp4"
        with mirror.at_hand(video) as here:
            assert here.read_bytes() == b"a" * 1000
            assert here.suffix == ".mp4"
            assert not stat.S_IMODE(here.parent.stat().st_mode) & 0o077
            assert mirror.url_of(here) is None
        assert not here.parent.exists()
    assert not root.exists()


def test_folder_of_frames_is_brought_whole(bucket):
    with mirrored(1) as mirror:
        root = mirror.show("s3://bucket")
        with mirror.at_hand(root / "frames/a") as here:
            assert {file.name: file.read_bytes() for file in here.iterdir()} == {"0.png": b"0", "1.png": b"1"}


def test_other_machine_brings_without_the_folder(bucket, tmp_path):
    with mirrored(1) as mirror:
        video = mirror.show("s3://bucket/a.mp4")
    with mirror.at_hand(video) as here:
        assert here.read_bytes() == b"a" * 1000


def test_path_of_this_machine_stays_itself(tmp_path):
    with mirrored(1) as mirror, mirror.at_hand(tmp_path / "a.mp4") as here:
        assert here == tmp_path / "a.mp4"


def test_errors_call_files_by_their_address(bucket):
    def fail_in_block():
        with mirrored(1) as mirror:
            raise CorpusError(f"{mirror.show('s3://bucket')}/frames: no video")

    def fail_at_file():
        with mirrored(1) as mirror, mirror.at_hand(mirror.show("s3://bucket/a.mp4")) as here:
            raise VideoError(f"{here} is damaged")

    with pytest.raises(CorpusError, match=r"^s3://bucket/frames: no video$"):
        fail_in_block()
    with pytest.raises(VideoError, match=r"^s3://bucket/a\.mp4 is damaged$"):
        fail_at_file()


def test_name_that_no_file_can_have_is_refused(buckets, monkeypatch, tmp_path):  # noqa: F811
    import s3fs

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("bucket/a/../../../x.mp4", "bucket/a//x.mp4", f"bucket/{'x' * 300}.mp4"):
        monkeypatch.setattr(s3fs.S3FileSystem, "info", lambda *_, **__: {"type": "directory"})
        info = {"size": 1, "type": "file", "mtime": _Now()}
        monkeypatch.setattr(s3fs.S3FileSystem, "find", lambda *_, name=name, info=info, **__: {name: info})
        with mirrored(1) as mirror, pytest.raises(LinkError, match=r"no file .*; rename it"):
            mirror.show("s3://bucket")
        assert mirror.folder.parent == tmp_path / "temporary"
        assert not list((tmp_path / "temporary").iterdir())


class _Now:
    def timestamp(self):
        return float(MODIFIED)
