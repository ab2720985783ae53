"""preprocess goes on where it was: after SIGKILL at any moment the result is that of an undisturbed run."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepfake_ssat.errors import OutputError
from deepfake_ssat.extraction import journal
from deepfake_ssat.manifest import load_manifest
from deepfake_ssat.pool import map_in_processes
from deepfake_ssat.records import SourceVideo
from tests.commands.fixed_faces import PrepareFixed
from tests.commands.preprocess_runs import (
    clips_written_since,
    file_hashes,
    make_corpus,
    make_video,
    map_here,
    run_corpus,
    run_folder,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "corpus")


@pytest.fixture(autouse=True, scope="module")
def _fixed_faces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deepfake_ssat.extraction.preprocess.PrepareExtraction", PrepareFixed)
        patch.setattr("deepfake_ssat.pool.engine.map_in_processes", map_here)
        yield


@pytest.fixture
def processes(monkeypatch):
    """The work is done in processes of their own, as it is outside these tests."""
    monkeypatch.setattr("deepfake_ssat.pool.engine.map_in_processes", map_in_processes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A corpus that no test changes, and what an undisturbed run makes of it."""
    folder = tmp_path_factory.mktemp("whole")
    run_folder(make_corpus(folder / "corpus"), folder / "out")
    return folder / "corpus", folder / "out"


@pytest.fixture
def out(whole, tmp_path):
    """A copy of the finished run's folder."""
    return shutil.copytree(whole[1], tmp_path / "out")


def test_second_run_does_nothing_twice(whole, out, capsys):
    before, tree = time.time_ns(), file_hashes(out)
    assert run_folder(whole[0], out) == 0
    assert clips_written_since(out, before) == set()
    assert file_hashes(out) == tree
    assert "videos       4 (4 done before)" in capsys.readouterr().out


def test_changed_source_is_done_again_and_leaves_nothing_old(corpus, tmp_path):
    run_folder(corpus, tmp_path / "out")
    before = time.time_ns()
    (corpus / "val/real/b.mp4").write_text("no video any more")
    run_folder(corpus, tmp_path / "out")
    manifest = load_manifest(tmp_path / "out")
    assert [video.video_id for video in manifest.dropped] == ["val/real/b"]
    assert clips_written_since(tmp_path / "out", before) == set()
    assert len(list((tmp_path / "out/clips").rglob("*.mp4"))) == len(manifest.rows) == 6


def test_lost_clip_file_is_made_again(whole, out):
    next((out / "clips").rglob("*.mp4")).unlink()
    run_folder(whole[0], out)
    assert file_hashes(out) == file_hashes(whole[1])


def test_clips_of_a_version_without_landmarks_are_made_again_and_said(whole, out, capsys):
    corpus, undisturbed = whole
    (out / "clips/folder/val/real/b/track001_00.landmarks.npy").unlink()
    before = time.time_ns()
    # Another part of the folder keeps its clips and its place in the manifest.
    run_folder(corpus, out, splits=("train",))
    assert clips_written_since(out, before) == set()
    assert len(load_manifest(out).rows) == 8
    run_folder(corpus, out)
    assert len(clips_written_since(out, before)) == 2
    assert "1 videos were done by an earlier version, which stored less or chose other faces: they" in (
        capsys.readouterr().out
    )
    assert file_hashes(out) == file_hashes(undisturbed)


def test_landmarks_without_a_clip_are_removed(whole, out):
    (out / "clips/folder/val/real/b/track009_00.landmarks.npy").touch()
    run_folder(whole[0], out)
    assert file_hashes(out) == file_hashes(whole[1])


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_result_is_the_same_with_one_and_two_workers(whole, tmp_path):
    run_folder(whole[0], tmp_path / "two", workers=2)
    assert file_hashes(tmp_path / "two") == file_hashes(whole[1])


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_like_an_undisturbed_run(tmp_path):
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    for number in range(6):
        make_video(corpus / f"train/{'real' if number % 2 else 'fake'}/v{number}.mp4", num_frames=24)
    (corpus / "train/real/text.mp4").write_text("no video")
    code = (
        "import sys; from pathlib import Path\n"
        "from deepfake_ssat.extraction import preprocess\n"
        "from tests.commands.fixed_faces import SETTINGS, PrepareFixed\n"
        "preprocess.PrepareExtraction = PrepareFixed\n"
        f"root, out = Path({str(corpus)!r}), Path({str(out)!r})\n"
        "preprocess.preprocess('folder', root, out, settings=SETTINGS, workers=2)"
    )
    moments = random.Random(0)
    kills = 0
    for finished in (0, 1, 4):
        run = subprocess.Popen(
            [sys.executable, "-c", code], cwd=REPOSITORY, start_new_session=True, stdout=subprocess.DEVNULL
        )
        while len(list(out.glob("videos/**/[!.]*.json"))) < finished and run.poll() is None:
            time.sleep(0.005)
        while not (out / "contract.json").exists() and run.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.15))
        os.killpg(run.pid, signal.SIGKILL)
        kills += run.wait() == -signal.SIGKILL
    assert kills >= 2
    run_folder(corpus, out)
    run_folder(corpus, tmp_path / "undisturbed")
    assert file_hashes(out) == file_hashes(tmp_path / "undisturbed")
    assert len(load_manifest(out).rows) == 12


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_killed_worker_is_recorded_and_tried_again_next_time(corpus, tmp_path, capsys):
    killer = make_video(corpus / "train/real/killer.mp4")
    assert run_folder(corpus, tmp_path / "out") == 1
    manifest = load_manifest(tmp_path / "out")
    assert len(manifest.rows) == 8
    (dropped,) = manifest.dropped
    assert (dropped.video_id, dropped.detail) == ("train/real/killer", "the process was killed by signal 9")
    assert "failed       1 videos" in capsys.readouterr().out
    killer.rename(corpus / "train/real/harmless.mp4")
    (corpus / "train/real/bug.mp4").write_bytes(b"x")
    assert run_folder(corpus, tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert "KeyError: 'a bug'" in captured.out
    assert "Traceback" in captured.err


@pytest.mark.slow
def test_video_that_vanishes_meanwhile_is_tried_again_when_it_is_back(corpus, tmp_path, monkeypatch, capsys):
    video, elsewhere = corpus / "val/real/b.mp4", tmp_path / "elsewhere.mp4"

    def and_vanish(source):
        found = journal.fingerprint(source)
        if source.path == video and video.exists():
            video.rename(elsewhere)
        return found

    monkeypatch.setattr("deepfake_ssat.extraction.preprocess.fingerprint", and_vanish)
    assert run_folder(corpus, tmp_path / "out") == 1
    told = capsys.readouterr().out.replace("\n", "")
    assert f"{video} does not exist; check the path" in told
    assert f"{video}: {video}" not in told
    assert len(load_manifest(tmp_path / "out").rows) == 6
    elsewhere.rename(video)
    monkeypatch.undo()
    assert run_folder(corpus, tmp_path / "out") == 0
    assert len(load_manifest(tmp_path / "out").rows) == 8


@pytest.mark.slow
def test_disk_that_turns_read_only_ends_the_run_in_one_line(corpus, tmp_path, monkeypatch):
    replace = os.replace

    def refuse(source, target):
        if Path(target).suffix == ".mp4":
            raise OSError(errno.EROFS, "Read-only file system")
        replace(source, target)

    monkeypatch.setattr("deepfake_ssat.extraction.journal.os.replace", refuse)
    with pytest.raises(OutputError, match=r"out cannot be written \(Read-only file system\)"):
        run_folder(corpus, tmp_path / "out")
    monkeypatch.setattr("deepfake_ssat.extraction.journal.os.replace", replace)
    assert run_folder(corpus, tmp_path / "out") == 0


def test_new_split_of_a_finished_video_needs_no_new_extraction(corpus, tmp_path):
    table = corpus / "list.csv"
    for split in ("val", "test"):
        table.write_text(f"path,label,split\nval/real/b.mp4,0,{split}\n")
        before = time.time_ns()
        run_corpus("csv", table, tmp_path / "out")
    assert {row.split for row in load_manifest(tmp_path / "out").rows} == {"test"}
    assert clips_written_since(tmp_path / "out", before) == set()


@pytest.mark.slow
def test_budget_of_clips_is_kept_and_another_one_means_another_extraction(whole, tmp_path):
    corpus, undisturbed = whole
    run_folder(corpus, tmp_path / "out", clips=1)
    assert {row.num_frames for row in load_manifest(tmp_path / "out").rows} == {4}
    before, tree = time.time_ns(), file_hashes(tmp_path / "out")
    run_folder(corpus, tmp_path / "out", clips=1)
    assert clips_written_since(tmp_path / "out", before) == set()
    assert file_hashes(tmp_path / "out") == tree
    run_folder(corpus, tmp_path / "out")
    assert {row.num_frames for row in load_manifest(tmp_path / "out").rows} == {12}
    assert file_hashes(tmp_path / "out") == file_hashes(undisturbed)


def test_frame_that_vanishes_while_its_folder_is_looked_at_is_no_crash(tmp_path, monkeypatch):
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "0.png").touch()
    video = SourceVideo(frames, "a", 0, "folder", "original", "train")
    assert journal.fingerprint(video)[0] == 0
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "0.png", folder / "gone.png"]))
    assert journal.fingerprint(video) == (-1, -1)
