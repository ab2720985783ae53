import csv
import hashlib
import json
import os
import re
from datetime import datetime
from html import escape
from pathlib import Path

import pytest

from deepfake_ssat.commands.detect import run
from deepfake_ssat.commands.detection_reports import ReportIndex, page_name
from deepfake_ssat.errors import ConfigError, OutputError
from deepfake_ssat.faces import extract
from deepfake_ssat.records import Status, VideoVerdict
from deepfake_ssat.reporting.verdict_words import probability_text
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


@pytest.mark.slow
def test_page_shows_the_numbers_of_json_and_csv_as_people_read_them(checkpoint, portrait, tmp_path):
    outputs = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    run([portrait], checkpoint, outputs["json"], outputs["csv"], clips="all", report=outputs["html"])
    judged = json.loads(outputs["json"].read_text())["videos"][0]
    row = next(csv.DictReader(outputs["csv"].read_text().splitlines()))
    page = outputs["html"].read_text()
    assert float(row["probability"]) == judged["probability"]
    shown = escape(probability_text(judged["probability"]))
    assert f"Probability that a face is manipulated: {shown};" in page
    for clip in judged["clips"]:
        assert f"<td>{escape(probability_text(clip['probability']))}</td>" in page
    assert re.findall(r">[^<]*\b0\.\d{5,}", page) == []


@pytest.mark.slow
def test_page_needs_no_network(checkpoint, video, tmp_path):
    run([video], checkpoint, report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []
    assert "<img" in page
    assert "<svg" in page
    assert 'alt="Face 0' in page
    links = set(re.findall(r'href="#(frame-\d+)"', page))
    assert links
    assert links <= set(re.findall(r'<figure class="frame" id="(frame-\d+)"', page))


@pytest.mark.slow
def test_page_tells_nothing_of_the_analysts_machine(checkpoint, video, tmp_path):
    run([video], checkpoint, report=tmp_path / "page.html", note="Case 7")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    run([video, bad], checkpoint, report=tmp_path / "pages", note="Case 7")
    for page in (tmp_path / "page.html", *(tmp_path / "pages").glob("*.html")):
        text = page.read_text()
        assert str(tmp_path) not in text
        assert "Case 7" in text
    command = "deepfake-ssat detect face.mp4 --checkpoint tiny.safetensors --clips 4 --note &#39;Case 7&#39;"
    page = re.sub("</?span>", "", (tmp_path / "page.html").read_text())
    assert f"<code>{command} --report page.html</code>" in page


@pytest.mark.slow
def test_file_is_known_by_hash_date_and_what_its_container_says(checkpoint, video, tmp_path):
    os.utime(video, (1_700_000_000, 1_700_000_000))
    run([video], checkpoint, tmp_path / "out.json", report=tmp_path / "page.html")
    judged = json.loads((tmp_path / "out.json").read_text())["videos"][0]
    assert judged["file"] == {
        "size_bytes": video.stat().st_size,
        "sha256": hashlib.sha256(video.read_bytes()).hexdigest(),
        "modified": "2023-11-14T22:13:20+00:00",
    }
    assert judged["video"]["encoder"].startswith("Lavf")
    assert datetime.fromisoformat(judged["judged_at"]).tzinfo is not None
    page = (tmp_path / "page.html").read_text()
    for shown in (judged["file"]["sha256"], "2023-11-14 22:13:20 UTC", judged["video"]["encoder"]):
        assert f"<td>{shown}</td>" in page


@pytest.mark.slow
def test_face_that_decided_comes_first(checkpoint, tmp_path, monkeypatch):
    clips = [face_clip(track, start) for start in (0, 4, 8) for track in (0, 1, 2)]
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor(clips))
    video = write_video(tmp_path / "face.mp4", [background(64, 64)] * 20)
    run([video], checkpoint, tmp_path / "out.json", report=tmp_path / "page.html")
    judged = json.loads((tmp_path / "out.json").read_text())["videos"][0]
    highest = max(judged["faces"], key=lambda face: face["probability"])["track_id"]
    assert judged["decided_by"] == highest
    page = (tmp_path / "page.html").read_text()
    assert f"Decided by face {highest}, of 3 faces." in page
    assert re.findall(r'<section id="face-(\d+)"', page)[0] == str(highest)
    captions = re.findall(r"<figcaption>Face (\d+), [\d.]+–", page)
    assert captions[:3] == [str(highest)] * 3


def test_crop_of_a_face_with_one_clip_stands_once_and_leads_to_its_frame(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor([face_clip(0, 0)]))
    run(
        [write_video(tmp_path / "face.mp4", [background(64, 64)] * 20)],
        checkpoint,
        report=tmp_path / "page.html",
    )
    page = (tmp_path / "page.html").read_text()
    assert 'alt="Face 0 at ' not in page
    assert re.search(r'The crop: [\d.]+ at <a href="#frame-\d+" data-seconds="[\d.]+">', page)


@pytest.mark.slow
def test_marked_copy_plays_in_the_page_beside_it(checkpoint, video, tmp_path):
    run([video], checkpoint, report=tmp_path / "pages", annotate=tmp_path / "pages" / "marked copy.mp4")
    (page,) = (tmp_path / "pages").glob("face_*.html")
    assert 'src="marked%20copy.mp4"' in page.read_text()
    run([video], checkpoint, report=tmp_path / "pages" / "page.html", annotate=tmp_path / "marked.mp4")
    assert "marked.mp4" not in (tmp_path / "pages" / "page.html").read_text()


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


@pytest.mark.slow
def test_folder_gets_a_page_each_and_an_index(checkpoint, video, tmp_path, capsys):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert run([video, bad], checkpoint, report=tmp_path / "pages") == 3
    assert capsys.readouterr().out.endswith(f"report: {tmp_path / 'pages' / 'index.html'}\n")
    index = (tmp_path / "pages" / "index.html").read_text()
    assert index.count("<tr data-kind=") == 2
    assert "1 scored, 1 without a score" in index
    for link in re.findall(r'(?:src|href)="([^"]*)"', index):
        assert (tmp_path / "pages" / link).is_file()
    assert "Without a score" in index
    assert "waiting" not in index
    assert len(list((tmp_path / "pages").glob("*.html"))) == 3


def test_index_lists_videos_in_their_order_whatever_was_judged_first(tmp_path):
    names = [str(tmp_path / f"{letter}.mp4") for letter in "abc"]
    index = ReportIndex(tmp_path, names, "")
    for name in (names[2], names[0]):
        (tmp_path / page_name(Path(name))).write_text("its page")
        index.add(VideoVerdict(name, Status.UNREADABLE))
    index.write()
    page = (tmp_path / "index.html").read_text()
    assert 0 < page.index(">a.mp4<") < page.index(">c.mp4<")
    assert "1 more is waiting" in page


@pytest.mark.slow
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


@pytest.mark.slow
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
