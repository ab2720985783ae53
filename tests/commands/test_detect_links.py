"""detect of addresses: the source in all results is the address, and nothing of the download stays."""

import csv
import json
import tempfile

import jsonschema
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands.detect import run
from deepfake_ssat.errors import ConfigError, LinkError, OutputError
from deepfake_ssat.models.checkpoint import file_hash
from tests.commands.test_detect import SCHEMA
from tests.inference.scripted import write_checkpoint
from tests.portraits import portrait_frames
from tests.video import test_download
from tests.video.test_download import serving
from tests.videos import write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("faces") / "face.mp4", portrait_frames(20))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def address(video, monkeypatch, tmp_path):
    """Of a server that gives the video as /good.mp4; temporary files lie where they can be counted."""
    monkeypatch.setattr(test_download, "DATA", video.read_bytes())
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with serving() as (_, found):
        yield found


@pytest.mark.slow
def test_json_csv_and_lines_name_the_address(address, video, checkpoint, tmp_path, capsys):
    url = f"{address}/good.mp4?from=page"
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "jsonl")}
    code = run(
        [str(video), url],
        checkpoint,
        json_file=files["json"],
        csv_file=files["csv"],
        jsonl_file=files["jsonl"],
        device="cpu",
    )
    assert code == 0
    document = json.loads(files["json"].read_text())
    jsonschema.validate(document, SCHEMA)
    local, linked = document["videos"]
    assert (local["path"], linked["path"]) == (str(video), url)
    assert linked["probability"] == local["probability"]
    assert linked["file"]["sha256"] == local["file"]["sha256"] == file_hash(video)
    assert local["file"]["modified"]
    assert linked["file"]["modified"] is None
    with files["csv"].open(newline="") as lines:
        assert [line["path"] for line in csv.DictReader(lines)] == [str(video), url]
    lines = files["jsonl"].read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == [str(video), url]
    told = "".join(capsys.readouterr())
    assert address in told.replace("\n", "")
    assert str(tmp_path / "temporary") not in told
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_page_shows_the_address_and_repeats_its_command(address, checkpoint, tmp_path):
    url = f"{address}/good.mp4"
    assert run([url], checkpoint, report=tmp_path / "report.html", device="cpu", quiet=True) == 0
    page = (tmp_path / "report.html").read_text()
    assert f"deepfake-ssat detect {url}" in page
    assert f">{url}<" in page
    assert str(tmp_path / "temporary") not in page


@pytest.mark.slow
def test_folder_of_pages_and_workers(address, video, checkpoint, tmp_path):
    url, pages = f"{address}/good.mp4", tmp_path / "pages"
    options = {"device": "cpu", "quiet": True, "threads": 1}
    assert run([video, url], checkpoint, report=pages, workers=1, **options) == 0
    stored = [json.loads(file.read_text())["video"]["path"] for file in pages.glob("*.json")]
    assert sorted(stored) == sorted([str(video), url])
    assert f'data-sort="{url}"' in (pages / "index.html").read_text()


@pytest.mark.slow
def test_marked_copy_of_an_address(address, checkpoint, tmp_path):
    marked = tmp_path / "marked.mp4"
    assert run([f"{address}/good.mp4"], checkpoint, annotate=marked, device="cpu", quiet=True) == 0
    assert marked.stat().st_size > 0


def test_what_is_no_video_has_its_status(address, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(test_download, "DATA", b"no video at all" * 1000)
    out = tmp_path / "out.json"
    assert run([f"{address}/good.mp4"], checkpoint, json_file=out, device="cpu", quiet=True) == 3
    (video,) = json.loads(out.read_text())["videos"]
    assert video["status"] == "unreadable"
    assert str(tmp_path) not in video["warnings"][0]


@pytest.mark.slow
def test_refusals_are_one_line_and_leave_nothing(address, checkpoint, tmp_path):
    for link, options in (
        (f"{address}/absent.mp4", []),
        (f"{address}/good.mp4", ["--max-download", "0.001"]),
        (f"{address}/json", []),
        (f"{address}/file", []),
        ("ftp://host/video.mp4", []),
        ("file:///etc/passwd", []),
    ):
        result = CliRunner().invoke(app, ["detect", link, "--checkpoint", str(checkpoint), *options])
        assert result.exit_code == 2
        assert result.output.startswith(f"error: {link}")
        assert result.output.count("\n") == 1
    assert not list((tmp_path / "temporary").iterdir())


def test_options_are_checked_before_anything_is_downloaded(checkpoint, tmp_path):
    link = "http://127.0.0.1:9/never-asked.mp4"
    with pytest.raises(OutputError, match="does not exist"):
        run([link], checkpoint, json_file=tmp_path / "no/such/out.json")
    with pytest.raises(ConfigError, match="marks one video at a time, 2 are given"):
        run([link, f"{link}?2"], checkpoint, annotate=tmp_path / "marked.mp4")
    with pytest.raises(LinkError, match="only http and https"):
        run([link, "file:///etc/passwd"], checkpoint)
