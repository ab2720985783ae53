"""detect of what lies in object stores: brought one by one, named by address, never brought twice."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands.detect import run
from tests.inference.scripted import write_checkpoint
from tests.portraits import portrait_frames
from tests.stores import buckets, dated, opened  # noqa: F401
from tests.videos import write_video

NAMES = ["s3://bucket/all/a.mp4", "s3://bucket/all/deep/b.mp4", "s3://bucket/all/no.mp4"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("faces") / "face.mp4", portrait_frames(20))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def bucket(buckets, video, monkeypatch, tmp_path):  # noqa: F811
    """Two videos, something else, and a folder of temporary files that can be counted."""
    folder = buckets / "bucket/all"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(video, folder / "a.mp4")
    shutil.copy(video, folder / "deep/b.mp4")
    (folder / "no.mp4").write_bytes(b"no video at all" * 1000)
    (folder / "readme.txt").write_text("not read")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return dated(buckets)


def lines_of(file):
    return {line["path"]: line for line in map(json.loads, file.read_text().splitlines())}


@pytest.mark.slow
def test_folder_is_judged_as_on_this_machine_and_nothing_stays(bucket, checkpoint, tmp_path, capsys):
    assert run(["s3://bucket/all/"], checkpoint, json_file=tmp_path / "out.json", device="cpu") == 3
    assert run([bucket / "bucket/all"], checkpoint, json_file=tmp_path / "local.json", device="cpu") == 3
    stored, local = (
        json.loads((tmp_path / name).read_text())["videos"] for name in ("out.json", "local.json")
    )
    assert [one["path"] for one in stored] == NAMES
    for one, other in zip(stored, local, strict=True):
        assert one["probability"] == other["probability"]
        assert (one["file"]["sha256"], one["file"]["modified"]) == (other["file"]["sha256"], None)
    assert stored[2]["status"] == "unreadable"
    assert str(tmp_path / "temporary") not in json.dumps(stored) + "".join(capsys.readouterr())
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_resume_in_workers_brings_only_what_is_new_or_failed(bucket, checkpoint, tmp_path):
    lines, options = tmp_path / "out.jsonl", {"device": "cpu", "quiet": True, "threads": 1}
    assert run(["s3://bucket/all"], checkpoint, jsonl_file=lines, **options) == 3
    assert sorted(lines_of(lines)) == NAMES
    before = len(opened(bucket))
    (bucket / "bucket/all/deep/b.mp4").touch()
    assert run(["s3://bucket/all"], checkpoint, jsonl_file=lines, resume=True, workers=1, **options) == 3
    assert opened(bucket)[before:] == ["bucket/all/deep/b.mp4", "bucket/all/no.mp4"]


@pytest.mark.slow
def test_pages_are_not_made_twice(bucket, checkpoint, tmp_path):
    pages, options = tmp_path / "pages", {"device": "cpu", "quiet": True}
    for _ in range(2):
        assert run([NAMES[0]], checkpoint, report=pages, **options) == 0
    assert opened(bucket) == ["bucket/all/a.mp4"]
    (stored,) = pages.glob("*.json")
    assert json.loads(stored.read_text())["video"]["path"] == NAMES[0]
    page = stored.with_suffix(".html").read_text()
    assert f"deepfake-ssat detect {NAMES[0]}" in page
    assert str(tmp_path / "temporary") not in page


@pytest.mark.slow
def test_marked_copy(bucket, checkpoint, tmp_path):
    marked = tmp_path / "marked.mp4"
    assert run([NAMES[0]], checkpoint, annotate=marked, device="cpu", quiet=True) == 0
    assert marked.stat().st_size > 0
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_what_is_too_large_costs_the_others_nothing(bucket, checkpoint, tmp_path):
    (bucket / "bucket/all/no.mp4").write_bytes(bytes(2_000_000))
    out = tmp_path / "out.json"
    given = {"json_file": out, "device": "cpu", "quiet": True}
    assert run(["s3://bucket/all"], checkpoint, max_download=1, **given) == 3
    judged = json.loads(out.read_text())["videos"]
    assert [one["status"] for one in judged] == ["scored", "scored", "unreadable"]
    assert judged[2]["warnings"] == [
        "s3://bucket/all/no.mp4: is larger than 1 MB; allow more with --max-download, or give a file"
    ]


@pytest.mark.slow
def test_refusals_are_one_line(bucket, checkpoint, tmp_path):
    (bucket / "bucket/empty").mkdir()
    for given, message in (
        (["s3://bucket/absent.mp4"], "s3://bucket/absent.mp4: is not there"),
        (["s3://bucket/all/readme.txt.mp4"], "s3://bucket/all/readme.txt.mp4: is not there"),
        (
            [NAMES[0], "--json", "s3://bucket/out.json"],
            "s3://bucket/out.json: only files of this machine are wr",
        ),
        (
            [NAMES[0], "--report", "s3://bucket/pages"],
            "s3://bucket/pages: only files of this machine are written",
        ),
        (["file:///etc/passwd"], "file:///etc/passwd: only http and https"),
    ):
        result = CliRunner().invoke(app, ["detect", *given, "--checkpoint", str(checkpoint)])
        assert (result.exit_code, result.output.count("\n")) == (2, 1)
        assert result.output.startswith(f"error: {message}")
    assert opened(bucket) == []
