import csv
import json
import re

import pytest

from deepfake_ssat.commands.detect import run
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.video import open_video
from tests.inference.scripted import write_checkpoint
from tests.portraits import background, portrait_frames
from tests.videos import write_video


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "face.mp4", portrait_frames(40))


def test_page_json_and_csv_agree_to_the_digit(checkpoint, video, tmp_path):
    outputs = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    run([video], checkpoint, outputs["json"], outputs["csv"], clips="all", report=outputs["html"])
    judged = json.loads(outputs["json"].read_text())["videos"][0]
    row = next(csv.DictReader(outputs["csv"].read_text().splitlines()))
    page = outputs["html"].read_text()
    assert float(row["probability"]) == judged["probability"]
    assert f"{judged['probability']:.6f}" in page
    for clip in judged["clips"]:
        assert f"<td>{clip['probability']:.6f}</td>" in page


def test_page_needs_no_network(checkpoint, video, tmp_path):
    run([video], checkpoint, report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []
    assert "<img" in page
    assert "<svg" in page
    assert 'alt="Face 0' in page


def test_page_without_a_score_says_why(checkpoint, tmp_path):
    empty = write_video(tmp_path / "empty.mp4", [background(120, 160)] * 20)
    assert run([empty], checkpoint, report=tmp_path / "page.html") == 3
    page = (tmp_path / "page.html").read_text()
    assert "No verdict: no face was found" in page
    assert "Scores over time" not in page


def test_hostile_file_name_is_escaped(checkpoint, tmp_path):
    path = tmp_path / "<script>alert(1)<.mp4"
    path.write_bytes(b"no video")
    run([path], checkpoint, report=tmp_path / "page.html")
    assert "<script>alert" not in (tmp_path / "page.html").read_text()


def test_folder_gets_a_page_each_and_an_index(checkpoint, video, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert run([video, bad], checkpoint, report=tmp_path / "pages") == 3
    index = (tmp_path / "pages" / "index.html").read_text()
    assert index.count("<tr><td><a href=") == 2
    assert "Without a score" in index
    assert "waiting" not in index
    assert len(list((tmp_path / "pages").glob("*.html"))) == 3


def test_folder_goes_on_where_it_was(checkpoint, video, tmp_path, monkeypatch):
    from deepfake_ssat.commands import detection_reports

    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    run([video, bad], checkpoint, tmp_path / "first.json", report=tmp_path / "pages")
    judged = []

    def note(detector, path, *rest):
        judged.append(path)
        return original(detector, path, *rest)

    original = detection_reports.report_video
    monkeypatch.setattr(detection_reports, "report_video", note)
    bad.write_bytes(b"another one")
    run([video, bad], checkpoint, tmp_path / "second.json", report=tmp_path / "pages")
    assert judged == [bad]
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second"))
    assert first["videos"][0] == second["videos"][0]


def test_marked_copy_has_every_frame(checkpoint, video, tmp_path):
    run([video], checkpoint, clips="all", annotate=tmp_path / "marked.mp4")
    with open_video(tmp_path / "marked.mp4") as reader:
        assert len(list(reader)) == 40


def test_video_is_never_overwritten(checkpoint, video):
    before = video.read_bytes()
    for outputs in ({"report": video}, {"annotate": video}):
        with pytest.raises(ConfigError, match="is the video itself"):
            run([video], checkpoint, **outputs)
    assert video.read_bytes() == before


def test_several_videos_cannot_share_one_marked_copy(checkpoint, video, tmp_path):
    other = write_video(tmp_path / "other.mp4", portrait_frames(20))
    with pytest.raises(ConfigError, match="one video at a time"):
        run([video, other], checkpoint, annotate=tmp_path / "marked.mp4")
