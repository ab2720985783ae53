"""``detect`` over many files: results as they come, nothing lost by a kill, nothing judged twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from deepfake_ssat.commands import detect, judging
from deepfake_ssat.commands.detect import run
from deepfake_ssat.commands.detection_reports import ReportOptions
from deepfake_ssat.commands.judging import MANY_VIDEOS
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.inference.detector import Detector
from tests.commands.scripted_judging import ScriptedJudging
from tests.commands.test_detect import SCHEMA
from tests.inference.scripted import write_checkpoint

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    monkeypatch.setattr(detect, "Judging", ScriptedJudging)


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "videos", ["0.1", "0.9", "0.2", "0.3"])


def make_folder(folder, contents):
    folder.mkdir()
    for number, said in enumerate(contents):
        (folder / f"{number:02d}.mp4").write_text(said)
    return folder


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def names(videos):
    return [Path(video["path"]).name for video in videos]


def judged_count(folder, name):
    note = folder / f"{name}.judged"
    return len(note.read_text()) if note.exists() else 0


def test_a_line_a_video_is_what_the_document_says_of_it(folder, checkpoint, tmp_path):
    outputs = {"json_file": tmp_path / "out.json", "jsonl_file": tmp_path / "out.jsonl"}
    assert run([folder], checkpoint, device="cpu", **outputs) == 0
    lines = records(outputs["jsonl_file"])
    document = json.loads(outputs["json_file"].read_text())
    jsonschema.validate(document, SCHEMA)
    added = {"fingerprint", "judged_by"}
    assert [{key: line[key] for key in line.keys() - added} for line in lines] == document["videos"]
    assert document["not_judged"] == 0
    assert lines[0]["fingerprint"]["size"] == 3
    assert lines[0]["judged_by"]["checkpoint"] == document["checkpoint"]["sha256"]
    assert lines[0]["judged_by"]["settings"] == document["settings"]


def test_resumed_run_judges_only_what_is_missing_changed_or_failed(folder, checkpoint, tmp_path, capsys):
    log, out = tmp_path / "out.jsonl", tmp_path / "out.json"
    run([folder], checkpoint, jsonl_file=log, device="cpu")
    with log.open("ab") as file:
        file.write(b'{"path": "half a li')
    (folder / "01.mp4").write_text("0.4")
    (folder / "09.mp4").write_text("0.8")
    (folder / "02.mp4").unlink()
    assert run([folder], checkpoint, out, jsonl_file=log, resume=True, device="cpu") == 0
    assert [judged_count(folder, f"{n:02d}") for n in (0, 1, 2, 3, 9)] == [1, 2, 1, 1, 1]
    assert names(json.loads(out.read_text())["videos"]) == ["00.mp4", "01.mp4", "03.mp4", "09.mp4"]
    # The vanished file keeps its line; nothing else is there twice.
    assert sorted(names(records(log))) == ["00.mp4", "01.mp4", "02.mp4", "03.mp4", "09.mp4"]
    assert {line["probability"] for line in records(log)} == {0.1, 0.4, 0.2, 0.3, 0.8}
    assert "2 before" in capsys.readouterr().out


def test_file_that_vanishes_meanwhile_is_judged_when_it_is_back(folder, checkpoint, tmp_path, monkeypatch):
    log, collect, video = tmp_path / "out.jsonl", detect._collect, folder / "02.mp4"

    def without_one(*arguments):
        video.rename(tmp_path / "elsewhere")
        collect(*arguments)

    monkeypatch.setattr(detect, "_collect", without_one)
    assert run([folder], checkpoint, jsonl_file=log, device="cpu") == 3
    assert [line["status"] for line in records(log)].count("unreadable") == 1
    monkeypatch.setattr(detect, "_collect", collect)
    (tmp_path / "elsewhere").rename(video)
    assert run([folder], checkpoint, jsonl_file=log, resume=True, device="cpu") == 0
    assert [judged_count(folder, f"{n:02d}") for n in range(4)] == [1, 1, 1, 1]


def test_file_that_may_not_be_read_is_judged_once_it_may(folder, checkpoint, tmp_path, monkeypatch):
    log, access = tmp_path / "out.jsonl", os.access
    closed = os.fspath(folder / "02.mp4")
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != closed and access(path, mode))
    run([folder], checkpoint, jsonl_file=log, device="cpu")
    monkeypatch.setattr(os, "access", access)
    assert run([folder], checkpoint, jsonl_file=log, resume=True, device="cpu") == 0
    assert [judged_count(folder, f"{n:02d}") for n in range(4)] == [1, 1, 2, 1]


def test_lines_of_others_are_neither_overwritten_nor_mixed(folder, checkpoint, tmp_path):
    log = tmp_path / "out.jsonl"
    run([folder], checkpoint, jsonl_file=log, device="cpu")
    before = log.read_bytes()
    with pytest.raises(OutputError, match="holds verdicts already; --resume goes on"):
        run([folder], checkpoint, jsonl_file=log, device="cpu")
    with pytest.raises(OutputError, match="was judged with settings"):
        run([folder], checkpoint, jsonl_file=log, resume=True, device="cpu", clips="all")
    other = write_checkpoint(tmp_path / "other.safetensors", provenance={"command": "another"})
    with pytest.raises(OutputError, match="was judged with checkpoint"):
        run([folder], other, jsonl_file=log, resume=True, device="cpu")
    assert log.read_bytes() == before
    log.write_bytes(b"not a verdict\n" + before)
    with pytest.raises(OutputError, match="line 1 is no verdict"):
        run([folder], checkpoint, jsonl_file=log, resume=True, device="cpu")


def test_a_second_run_waits_its_turn(folder, checkpoint, tmp_path, monkeypatch):
    log = tmp_path / "out.jsonl"
    collect = detect._collect

    def meanwhile(*arguments):
        with pytest.raises(OutputError, match="another detect is writing there"):
            run([folder], checkpoint, jsonl_file=log, resume=True, device="cpu")
        collect(*arguments)

    monkeypatch.setattr(detect, "_collect", meanwhile)
    assert run([folder], checkpoint, jsonl_file=log, device="cpu") == 0


@pytest.mark.slow
def test_file_that_kills_its_process_costs_no_other_video(tmp_path, checkpoint):
    folder = make_folder(tmp_path / "videos", ["0.1", "kill", "0.9", "bug", "0.2"])
    log, out = tmp_path / "out.jsonl", tmp_path / "out.json"
    assert run([folder], checkpoint, out, jsonl_file=log, device="cpu", workers=2) == 3
    videos = json.loads(out.read_text())["videos"]
    assert [video["probability"] for video in videos] == [0.1, None, 0.9, None, 0.2]
    assert videos[1]["warnings"] == [
        "could not be judged: the process was killed by signal 9; --resume tries it again"
    ]
    assert "KeyError: 'a bug'" in videos[3]["warnings"][0]
    # What killed its process is tried again: it may have been the machine's fault.
    (folder / "01.mp4").write_text("0.7")
    assert run([folder], checkpoint, out, jsonl_file=log, device="cpu", workers=2, resume=True) == 3
    assert [video["probability"] for video in json.loads(out.read_text())["videos"]] == [
        *(0.1, 0.7, 0.9, None, 0.2)
    ]
    assert len(records(log)) == 5
    assert judged_count(folder, "03") == 1


@pytest.mark.parametrize(
    ("num_videos", "given", "workers"),
    [
        (MANY_VIDEOS - 1, {}, None),
        (MANY_VIDEOS, {}, 4),
        (50_000, {}, 4),
        (MANY_VIDEOS, {"threads": 3}, 2),
        (MANY_VIDEOS, {"threads": 8}, None),
        (MANY_VIDEOS, {"debug": True}, None),
    ],
)
def test_many_videos_get_a_process_a_core_where_nobody_says_how_many(monkeypatch, num_videos, given, workers):
    monkeypatch.setattr(judging, "num_cores", lambda: 6)
    asked = judging.Judging(ReportOptions(None), device="cpu", **given)
    assert asked.workers_for(num_videos) == workers
    monkeypatch.setattr("deepfake_ssat.inference.device.torch.cuda.is_available", lambda: True)
    assert judging.Judging(ReportOptions(None), device="cuda").workers_for(num_videos) is None


@pytest.mark.slow
def test_one_of_many_files_that_kills_its_process_costs_no_other_video(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(judging, "num_cores", lambda: 2)
    folder = make_folder(tmp_path / "videos", ["0.1"] * (MANY_VIDEOS - 1) + ["kill"])
    run([folder], checkpoint, tmp_path / "out.json", device="cpu")
    found = [video["status"] for video in json.loads((tmp_path / "out.json").read_text())["videos"]]
    assert found == ["scored"] * (MANY_VIDEOS - 1) + ["unreadable"]


@pytest.mark.slow
def test_workers_load_the_detector_and_their_parent_does_not(folder, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run([folder], checkpoint, tmp_path / "here.json", device="cpu")
    monkeypatch.setattr(Detector, "__init__", None)
    run([folder], checkpoint, tmp_path / "workers.json", device="cpu", workers=2)
    assert (tmp_path / "workers.json").read_bytes() == (tmp_path / "here.json").read_bytes()


def test_checkpoint_that_computes_something_else_is_refused_before_workers_begin(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("deepfake_ssat.models.self_test.SELF_TEST_TOLERANCE", -1.0)
    other = write_checkpoint(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="self-test failed"):
        run([folder], other, tmp_path / "out.json", device="cpu", workers=2)
    assert not (tmp_path / "out.json").exists()


def test_interrupted_run_writes_what_it_has(tmp_path, checkpoint, capsys):
    folder = make_folder(tmp_path / "videos", ["0.1", "stop", "0.9"])
    out, table = tmp_path / "out.json", tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        run([folder], checkpoint, out, table, device="cpu")
    document = json.loads(out.read_text())
    jsonschema.validate(document, SCHEMA)
    assert (names(document["videos"]), document["not_judged"]) == (["00.mp4"], 2)
    assert len(table.read_text().splitlines()) == 2
    assert "2 of 3 were not judged" in capsys.readouterr().out


def test_newest_first(folder, checkpoint, tmp_path):
    for age, name in enumerate(["02", "00", "03", "01"]):
        os.utime(folder / f"{name}.mp4", (10_000 - age, 10_000 - age))
    log = tmp_path / "out.jsonl"
    run([folder], checkpoint, jsonl_file=log, device="cpu", order="newest")
    assert names(records(log)) == ["02.mp4", "00.mp4", "03.mp4", "01.mp4"]


def test_quiet_says_nothing(folder, checkpoint, capfd):
    assert run([folder], checkpoint, device="cpu", quiet=True) == 0
    assert capfd.readouterr() == ("", "")


def test_printed_lines_stand_alone(folder, checkpoint, capsys):
    assert run([folder], checkpoint, jsonl_file=Path("-"), device="cpu") == 0
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 4


def test_options_that_mean_nothing_together_are_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="--resume goes on with"):
        run([folder], resume=True)
    with pytest.raises(ConfigError, match="leave --workers out"):
        run([folder], workers=2, debug=True)
    with pytest.raises(ConfigError, match="leave --workers out"):
        run([folder / "00.mp4"], workers=2, annotate=tmp_path / "marked.mp4")
    with pytest.raises(ConfigError, match="leave --ray out"):
        run([folder], ray="auto", debug=True)
    with pytest.raises(ConfigError, match="give a file or a folder"):
        run([folder / "00.mp4"], ray="auto", report=Path("-"))


def test_more_videos_than_anybody_reads_are_counted_only(folder, checkpoint, capsys, monkeypatch):
    monkeypatch.setattr("deepfake_ssat.reporting.detection_report.MOST_SHOWN", 3)
    run([folder], checkpoint, device="cpu")
    shown = capsys.readouterr().out
    assert "00.mp4" not in shown
    assert "4 videos: 1 fake, 3 real" in shown


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_ends_the_run_in_one_line(folder, checkpoint):
    with pytest.raises(OutputError, match=r"/dev/full cannot be written \(No space left"):
        run([folder], checkpoint, jsonl_file=Path("/dev/full"), device="cpu")


DETECT = """
import sys
from pathlib import Path
from deepfake_ssat.cli import app
from deepfake_ssat.commands import detect
from tests.commands.scripted_judging import ScriptedJudging

if __name__ == "__main__":
    detect.Judging = ScriptedJudging
    app()
"""


def start(folder, checkpoint, out, *options):
    """The command in a process group of its own."""
    script = out / "detect.py"
    script.write_text(DETECT)
    words = ["detect", folder, "--checkpoint", checkpoint, "--device", "cpu", "--jsonl", out / "out.jsonl"]
    with (out / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, script, *words, "--json", out / "out.json", *options],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def wait_for_lines(log, process, count):
    while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= count):
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "number", "code", "word"),
    [
        pytest.param((), signal.SIGTERM, 143, "terminated", id="alone"),
        pytest.param(("--workers", "2"), signal.SIGTERM, 143, "terminated", id="workers"),
        pytest.param(("--workers", "2"), signal.SIGINT, 130, "interrupted", id="ctrl-c"),
    ],
)
def test_signal_to_the_whole_group_ends_in_one_line_with_results(
    tmp_path, checkpoint, workers, number, code, word
):
    folder = make_folder(tmp_path / "videos", ["0.1"] * 200)
    process = start(folder, checkpoint, tmp_path, "--quiet", *workers)
    wait_for_lines(tmp_path / "out.jsonl", process, 2)
    os.killpg(process.pid, number)
    assert process.wait(timeout=60) == code
    assert (tmp_path / "errors.txt").read_text() == f"{word}\n"
    document = json.loads((tmp_path / "out.json").read_text())
    lines = records(tmp_path / "out.jsonl")
    assert sorted(names(document["videos"])) == sorted(names(lines))
    assert document["not_judged"] == 200 - len(lines) > 0


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost_and_nothing_is_there_twice(tmp_path, checkpoint):
    folder = make_folder(tmp_path / "videos", [f"0.{number + 1:03d}" for number in range(60)])
    moments = random.Random(0)
    log = tmp_path / "out.jsonl"
    kills = 0
    for workers in ((), ("--workers", "2"), ()):
        finished = log.read_bytes().count(b"\n") if log.exists() else 0
        process = start(folder, checkpoint, tmp_path, "--resume", *workers)
        wait_for_lines(log, process, finished + 1)
        time.sleep(moments.uniform(0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    process = start(folder, checkpoint, tmp_path, "--resume")
    process.wait(timeout=120)
    (tmp_path / "calm").mkdir()
    assert start(folder, checkpoint, tmp_path / "calm").wait(timeout=120) == process.returncode == 0
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "calm/out.json").read_bytes()
    assert sorted(log.read_text().splitlines()) == sorted(
        (tmp_path / "calm/out.jsonl").read_text().splitlines()
    )
