import csv
import json
import os
import re
from pathlib import Path

import pytest

from deepfake_ssat.commands.detect import run
from deepfake_ssat.errors import ConfigError, OutputError
from deepfake_ssat.faces import extract
from deepfake_ssat.records import Status
from deepfake_ssat.video import open_video
from tests.inference.scripted import ScriptedExtractor, face_clip, write_checkpoint
from tests.portraits import background, portrait_frames
from tests.videos import write_video


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A real face, for the one test that finds it as a user's video would have it found."""
    return write_video(tmp_path_factory.mktemp("portrait") / "face.mp4", portrait_frames(20))


@pytest.fixture
def video(tmp_path, monkeypatch):
    """A plain video in which every search finds one face."""
    clips = [face_clip(0, start) for start in (0, 4, 8)]
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor(clips))
    return write_video(tmp_path / "face.mp4", [background(64, 64)] * 20)


def test_page_json_and_csv_agree_to_the_digit(checkpoint, portrait, tmp_path):
    outputs = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    run([portrait], checkpoint, outputs["json"], outputs["csv"], clips="all", report=outputs["html"])
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


def test_page_without_a_score_says_why(checkpoint, video, tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor([], Status.NO_FACE, "nobody there"))
    assert run([video], checkpoint, report=tmp_path / "page.html") == 3
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
        assert len(list(reader)) == 20


def test_name_decides_between_a_page_and_a_folder_of_pages(checkpoint, tmp_path):
    bad, other = tmp_path / "bad.mp4", tmp_path / "other.mp4"
    for file in (bad, other):
        file.write_bytes(b"no video")
    (tmp_path / "there").mkdir()
    for folder in ("there", "new"):
        assert run([bad], checkpoint, report=tmp_path / folder) == 3
        assert len(list((tmp_path / folder).glob("bad_*.html"))) == 1
        assert "bad.mp4" in (tmp_path / folder / "index.html").read_text()
    with pytest.raises(ConfigError, match=r"one\.html: is the page of one video, 2 are given; give a folder"):
        run([bad, other], checkpoint, report=tmp_path / "one.html")
    assert not (tmp_path / "one.html").exists()


def test_page_is_printed_on_standard_output(checkpoint, tmp_path, capsys):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    run([bad], checkpoint, report=Path("-"))
    captured = capsys.readouterr()
    assert captured.out.lstrip().startswith("<!doctype html>")
    assert captured.out.rstrip().endswith("</html>")
    assert "unreadable" in captured.err


def test_names_that_are_not_utf8_get_their_pages(checkpoint, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in (b"caf\xe9.mp4", b"b.mp4"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"no video")
    assert run([folder], checkpoint, tmp_path / "out.json", report=tmp_path / "pages") == 3
    warnings = [video["warnings"] for video in json.loads((tmp_path / "out.json").read_text())["videos"]]
    assert "internal error" not in str(warnings)
    assert len(list((tmp_path / "pages").glob("*.html"))) == 3
    assert r"caf\udce9.mp4" in (tmp_path / "pages" / "index.html").read_text()


@pytest.mark.parametrize("changed", ["page", "version", "precision", "device", "record"])
def test_stored_verdict_is_not_taken_for_another_one(checkpoint, tmp_path, monkeypatch, changed):
    from deepfake_ssat.inference import description

    bad, pages = tmp_path / "bad.mp4", tmp_path / "pages"
    bad.write_bytes(b"no video")
    run([bad], checkpoint, report=pages)
    (page,) = pages.glob("bad_*.html")
    content = page.read_bytes()
    page.write_bytes(b"old page")
    run([bad], checkpoint, report=pages)
    assert page.read_bytes() == b"old page"
    if changed == "page":
        page.unlink()
    elif changed == "record":
        page.with_suffix(".json").write_text("[]")
    elif changed == "version":
        monkeypatch.setattr(description, "__version__", "0.0.1")
    else:
        settings = description.settings_record
        monkeypatch.setattr(description, "settings_record", lambda *given: {**settings(*given), changed: "x"})
    run([bad], checkpoint, report=pages)
    assert page.read_bytes()[:500] == content[:500]


def test_marked_copy_of_a_kind_that_cannot_be_made_is_refused_before_the_work(checkpoint, video, tmp_path):
    with pytest.raises(OutputError, match=r"marked\.webm: a marked copy is one of \.mp4 "):
        run([video], checkpoint, annotate=tmp_path / "marked.webm")


def test_several_videos_cannot_share_one_marked_copy(checkpoint, video, tmp_path):
    other = tmp_path / "other.mp4"
    other.write_bytes(b"no video")
    with pytest.raises(ConfigError, match="one video at a time"):
        run([video, other], checkpoint, annotate=tmp_path / "marked.mp4")
