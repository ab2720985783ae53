"""``detect`` on files and folders: every video gets its line, whatever the others are."""

import csv
import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from deepfake_ssat.commands.detect import run
from deepfake_ssat.commands.sources import list_videos
from deepfake_ssat.config.extraction import parse_clips
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.faces import extract
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.records import FaceVerdict, Status, Verdict, VideoVerdict
from deepfake_ssat.reporting.detection_report import notes, results_csv, show
from tests.inference.scripted import ScriptedExtractor, face_clip, write_checkpoint
from tests.videos import write_video

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "detect.schema.json").read_text())


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "tiny.safetensors", provenance={"command": "train"})


@pytest.fixture
def two_faces(monkeypatch):
    """Every readable video shows two faces."""
    clips = [face_clip(track, start) for start in (0, 4) for track in (0, 1)]
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor(clips))


def black_video(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 4)


def read_document(path):
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    return document


def test_schema_itself_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.slow
@pytest.mark.usefixtures("two_faces")
def test_one_bad_file_never_stops_the_rest(tmp_path, checkpoint, capsys):
    folder = tmp_path / "videos"
    black_video(folder / "b.mp4")
    black_video(folder / "deep" / "er" / "c.MOV")
    (folder / "a.mp4").write_text("no video")
    (folder / "notes.txt").write_text("neither")
    out = tmp_path / "out.json"
    code = run([folder], checkpoint, json_file=out, csv_file=tmp_path / "out.csv", device="cpu")
    assert code == 3
    document = read_document(out)
    names = [os.path.relpath(video["path"], folder) for video in document["videos"]]
    assert names == ["a.mp4", "b.mp4", "deep/er/c.MOV"]
    assert [video["status"] for video in document["videos"]] == ["unreadable", "scored", "scored"]
    assert document["videos"][0]["probability"] is None
    assert document["videos"][0]["verdict"] is None
    assert document["checkpoint"]["provenance"] == {"command": "train"}
    assert document["settings"]["clips"] == 4
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["status"] for line in lines] == ["unreadable", "scored", "scored"]
    assert lines[0]["probability"] == ""
    assert float(lines[1]["probability"]) == pytest.approx(document["videos"][1]["probability"], abs=1e-6)
    assert "3 videos:" in capsys.readouterr().out


@pytest.mark.usefixtures("two_faces")
def test_all_scored_gives_exit_code_0(tmp_path, checkpoint):
    video = black_video(tmp_path / "a.mp4")
    assert run([video], checkpoint, device="cpu") == 0


@pytest.mark.parametrize("status", ["no_face", "too_short"])
def test_unscored_video_gives_exit_code_3_and_its_reason(tmp_path, checkpoint, monkeypatch, capsys, status):
    script = ScriptedExtractor([], Status(status), "the reason in words")
    monkeypatch.setattr(extract, "FaceExtractor", script)
    out = tmp_path / "out.json"
    assert run([black_video(tmp_path / "a.mp4")], checkpoint, out, device="cpu", clips="all") == 3
    (video,) = read_document(out)["videos"]
    assert (video["status"], video["warnings"]) == (status, ["the reason in words"])
    assert script.asked == [None]
    assert "the reason in words" in capsys.readouterr().out


@pytest.mark.usefixtures("two_faces")
def test_json_on_standard_output_stands_alone(tmp_path, checkpoint, capsys):
    video = black_video(tmp_path / "a.mp4")
    assert run([video], checkpoint, json_file=Path("-"), device="cpu") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    jsonschema.validate(document, SCHEMA)
    assert "P(fake)" in captured.err


def test_internal_error_in_one_video_is_reported_as_its_own(tmp_path, checkpoint, monkeypatch, two_faces):
    good, bad = black_video(tmp_path / "good.mp4"), black_video(tmp_path / "bad.mp4")
    detect = Detector.detect

    def sometimes_broken(self, path, *options, **named):
        if path == bad:
            raise IndexError("list index\nout of range")
        return detect(self, path, *options, **named)

    monkeypatch.setattr(Detector, "detect", sometimes_broken)
    out = tmp_path / "out.json"
    assert run([bad, good], checkpoint, out, device="cpu") == 3
    first, second = read_document(out)["videos"]
    assert (first["status"], first["probability"]) == ("unreadable", None)
    assert "internal error" in first["warnings"][0]
    assert "IndexError: list index out of range" in first["warnings"][0]
    assert second["status"] == "scored"
    with pytest.raises(IndexError):
        run([bad, good], checkpoint, device="cpu", debug=True)


def test_paths_are_checked_before_anything_is_loaded(tmp_path):
    video = black_video(tmp_path / "a.mp4")
    (tmp_path / "empty").mkdir()
    nowhere = tmp_path / "none.safetensors"
    with pytest.raises(ConfigError, match=r"b\.mp4 does not exist"):
        run([video, tmp_path / "b.mp4"], nowhere)
    with pytest.raises(ConfigError, match="empty holds no video"):
        run([video, tmp_path / "empty"], nowhere)
    with pytest.raises(ConfigError, match="--clips 0: give a number from 1, or all"):
        run([video], nowhere, clips="0")
    with pytest.raises(OutputError, match="is a folder; give a file"):
        run([video], nowhere, json_file=tmp_path)
    with pytest.raises(OutputError, match="does not exist; make it"):
        run([video], nowhere, csv_file=tmp_path / "no" / "such" / "out.csv")
    with pytest.raises(OutputError, match="cannot both print"):
        run([video], nowhere, json_file=Path("-"), csv_file=Path("-"))
    with pytest.raises(OutputError, match="give two files"):
        run([video], nowhere, json_file=tmp_path / "x", report=tmp_path / "x.html", csv_file=tmp_path / "x")
    with pytest.raises(CheckpointError, match="no such file"):
        run([video], nowhere, device="cpu")


@pytest.mark.parametrize("option", ["json_file", "csv_file", "report", "annotate"])
def test_video_and_checkpoint_are_never_overwritten(tmp_path, checkpoint, option):
    video = black_video(tmp_path / "x.mp4")
    (tmp_path / "hard.mp4").hardlink_to(video)
    (tmp_path / "soft.html").symlink_to(video)
    before = {file: file.read_bytes() for file in (video, checkpoint)}
    for output in (video, tmp_path / "hard.mp4", tmp_path / "soft.html", checkpoint):
        with pytest.raises(OutputError, match="is the input"):
            run([tmp_path / "x.mp4"], checkpoint, device="cpu", **{option: output})
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.slow
@pytest.mark.usefixtures("two_faces")
def test_devices_and_links_stay_what_they_are(tmp_path, checkpoint):
    video = black_video(tmp_path / "x.mp4")
    (tmp_path / "out.json").symlink_to("real.json")
    null = Path("/dev/null")
    outputs = {"json_file": tmp_path / "out.json", "csv_file": null, "report": null, "annotate": null}
    assert run([video], checkpoint, device="cpu", **outputs) == 0
    assert null.is_char_device()
    assert (tmp_path / "out.json").is_symlink()
    read_document(tmp_path / "real.json")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.usefixtures("two_faces")
@pytest.mark.parametrize("option", ["json_file", "report", "annotate"])
def test_full_disk_is_an_error_and_no_verdict(tmp_path, checkpoint, option, capsys):
    video = black_video(tmp_path / "x.mp4")
    with pytest.raises(OutputError, match=r"/dev/full cannot be written \(No space left"):
        run([video], checkpoint, device="cpu", **{option: Path("/dev/full")})
    assert "unreadable" not in capsys.readouterr().out
    assert Path("/dev/full").is_char_device()


def test_given_files_are_taken_whatever_their_name_and_once(tmp_path):
    odd = tmp_path / "video.dat"
    odd.write_bytes(b"")
    for name in ("b/2.mkv", "a/1.webm", "a/._1.webm", "a/text.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = list_videos([odd, tmp_path, tmp_path / "b" / "2.mkv"])
    assert found == [odd, tmp_path / "a" / "1.webm", tmp_path / "b" / "2.mkv"]


def test_videos_behind_linked_folders_are_found_once(tmp_path):
    (tmp_path / "store/deep").mkdir(parents=True)
    (tmp_path / "store/deep/1.mp4").touch()
    (tmp_path / "given").mkdir()
    (tmp_path / "given/link").symlink_to(tmp_path / "store")
    (tmp_path / "given/other").symlink_to(tmp_path / "store")
    (tmp_path / "store/deep/loop").symlink_to(tmp_path / "given")
    assert list_videos([tmp_path / "given"]) == [tmp_path / "given/link/deep/1.mp4"]


@pytest.mark.parametrize("text", ["-1", "0", "2.5", "", "some", "²"])
def test_number_of_clips_is_positive_or_all(text):
    with pytest.raises(ConfigError, match="give a number from 1, or all"):
        parse_clips(text)
    assert (parse_clips("all"), parse_clips("12")) == (None, 12)


def shown(verdicts, width=80):
    console = Console(width=width, file=open(os.devnull, "w"), record=True)  # noqa: SIM115
    with console.file:
        show(console, verdicts)
    return console.export_text()


def test_table_fits_80_columns_and_keeps_long_paths_whole():
    path = "folder/" + "long_" * 30 + ".mp4"
    text = shown([VideoVerdict(path, Status.SCORED, 0.98765, Verdict.FAKE)])
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.strip() for line in text.splitlines() if "long_" in line or ".mp4" in line]
    table = [line.partition("  ")[0] for line in lines]
    assert "".join(table) == path
    assert all(line.endswith(("_", "/")) for line in table[:-1])
    assert "0.988" in text
    assert "1 video: 1 fake" in text


def test_table_fits_a_narrow_terminal():
    path = "recordings/2024-05-06_interview-of-somebody.final.mp4"
    text = shown([VideoVerdict(path, Status.SCORED, 0.5, Verdict.UNCERTAIN)], 48)
    assert max(map(len, text.splitlines())) <= 48
    assert all(word in text for word in ("recordings/", "interview-", "somebody.", "uncertain", "0.500"))


def several_faces():
    faces = tuple(FaceVerdict(track, 0.0, 1.0, (0, 0, 90, 90), 0.1 * track, 2) for track in (3, 9))
    warning = ("two faces",)
    return VideoVerdict("a.mp4", Status.SCORED, 0.9, Verdict.FAKE, faces, warnings=warning, decided_by=9)


def test_face_that_decided_stands_in_the_verdict():
    assert "fake, face 9" in shown([several_faces()])


def test_details_follow_only_where_they_are_asked_for():
    bad = VideoVerdict("b.mp4", Status.UNREADABLE, warnings=("no video",))
    short = "\n".join(notes([several_faces(), several_faces(), bad]))
    assert "b.mp4: no video" in short
    assert "two faces" not in short
    assert "2 with warnings: --details shows them" in short
    whole = "\n".join(notes([several_faces(), bad], details=True))
    assert "a.mp4: two faces" in whole
    assert "face 3, 0.0-1.0 s" in whole
    assert "--details" not in whole
    assert "a.mp4: two faces" in notes([several_faces()])


def test_folder_without_a_video_gives_its_pictures(tmp_path):
    for name in ("a.jpg", "b.HEIC", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert list_videos([tmp_path]) == [tmp_path / "a.jpg", tmp_path / "b.HEIC"]
    (tmp_path / "c.mp4").write_bytes(b"x")
    told: list[str] = []
    assert list_videos([tmp_path], told.append) == [tmp_path / "c.mp4"]
    assert told == [f"{tmp_path} holds videos: 2 pictures beside them left out; give pictures by name"]


def test_control_characters_and_markup_of_file_names_do_nothing():
    text = shown([VideoVerdict("[red]a\x1b[2J\udcff.mp4", Status.UNREADABLE, warnings=("[b]why\n",))], 200)
    assert r"[red]a\x1b[2J\udcff.mp4" in text
    assert r"[b]why\n" in text
    assert "\x1b" not in text


def test_file_name_that_is_not_utf8_survives_in_csv_and_json(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor([face_clip(0, 0)]))
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    os.rename(black_video(tmp_path / "a.mp4"), name)
    outputs = tmp_path / "out.json", tmp_path / "out.csv"
    assert run([Path(os.fsdecode(name))], checkpoint, *outputs, device="cpu") == 0
    (video,) = read_document(outputs[0])["videos"]
    assert os.fsencode(video["path"]) == name
    assert name in outputs[1].read_bytes()


def test_csv_joins_warnings_in_one_field():
    verdict = VideoVerdict("a,b.mp4", Status.NO_FACE, warnings=("one", "two"))
    header, line = csv.reader(results_csv([verdict]).decode().splitlines())
    assert dict(zip(header, line, strict=True)) == {
        "path": "a,b.mp4",
        "status": "no_face",
        "verdict": "",
        "probability": "",
        "faces": "0",
        "clips": "0",
        "warnings": "one; two",
    }
