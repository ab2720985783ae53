"""preprocess: complete, refused where it would mix or leak, nothing silent."""

import csv
import os
from pathlib import Path

import pytest
from filelock import FileLock

from deepfake_ssat.errors import ContractError, CorpusError, ManifestError
from deepfake_ssat.extraction.preprocess import LOCK_FILE
from deepfake_ssat.manifest import load_manifest
from tests.commands.fixed_faces import SETTINGS, PrepareFixed
from tests.commands.preprocess_runs import (
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


@pytest.fixture(autouse=True)
def _fixed_faces(monkeypatch):
    monkeypatch.setattr("deepfake_ssat.extraction.preprocess.PrepareExtraction", PrepareFixed)
    monkeypatch.setattr("deepfake_ssat.pool.engine.map_in_processes", map_here)


def test_folder_becomes_clips_and_manifest(corpus, tmp_path, capsys):
    assert run_folder(corpus, tmp_path / "out") == 0
    manifest = load_manifest(tmp_path / "out")
    assert len(manifest.rows) == 8  # 4 videos of 2 faces
    row = manifest.rows[0]
    assert (row.video_id, row.label, row.manipulation, row.split) == ("train/fake/Swap/a", 1, "Swap", "train")
    assert row.source == "train/fake/Swap/a.mp4"
    assert row.clip_file == "clips/folder/train/fake/Swap/a/track000_00.mp4"
    assert (row.first_frame, row.num_frames, row.frame_stride) == (0, 12, 1)
    assert row.contract_hash == SETTINGS.hash()
    printed = capsys.readouterr().out.splitlines()
    assert "videos       4 (0 done before)" in printed
    assert "tracks       8" in printed
    assert "clips        24 of 4 frames" in printed
    assert "dropped      0" in printed
    assert any(line.endswith("per minute of video") and line.startswith("CPU-seconds") for line in printed)


def test_corpus_without_any_label_is_refused(tmp_path):
    make_video(tmp_path / "dfdc/dfdc_train_part_0/a.mp4")
    with pytest.raises(CorpusError, match=r"none of its 1 videos has a label; .* metadata\.json"):
        run_corpus("dfdc", tmp_path / "dfdc", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_dropped_videos_are_in_the_ledger_with_their_reason(corpus, tmp_path, capsys):
    (corpus / "val/real/text.mp4").write_text("no video")
    make_video(corpus / "val/real/brief.mp4", num_frames=2)
    assert run_folder(corpus, tmp_path / "out") == 0
    dropped = {video.video_id: video for video in load_manifest(tmp_path / "out").dropped}
    assert {name: video.reason.value for name, video in dropped.items()} == {
        "val/real/brief": "too_short",
        "val/real/text": "unreadable",
    }
    assert dropped["val/real/text"].label == 0
    assert "dropped      2 (too_short 1, unreadable 1), see dropped.csv" in capsys.readouterr().out


def test_other_contract_in_the_folder_is_refused_naming_the_field(corpus, tmp_path):
    run_folder(corpus, tmp_path / "out")
    with pytest.raises(ContractError, match=r"margin is 0\.3 in .*out and 0\.5 in the settings given"):
        run_folder(corpus, tmp_path / "out", settings=SETTINGS.model_copy(update={"margin": 0.5}))


def test_folder_with_other_things_in_it_is_refused(corpus, tmp_path):
    (tmp_path / "out/clips").mkdir(parents=True)
    (tmp_path / "out/clips/mine.mp4").touch()
    with pytest.raises(ManifestError, match=r"has files but no contract\.json"):
        run_folder(corpus, tmp_path / "out")
    assert (tmp_path / "out/clips/mine.mp4").exists()
    with pytest.raises(ManifestError, match=r"has files but no contract\.json"):
        run_folder(corpus, corpus)


def test_two_runs_on_one_folder_are_refused(corpus, tmp_path):
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / LOCK_FILE),
        pytest.raises(ManifestError, match="another preprocess"),
    ):
        run_folder(corpus, tmp_path / "out")


def test_leak_is_refused_before_any_work(tmp_path):
    for split in ("train", "test"):
        make_video(tmp_path / f"corpus/{split}/real/ann/{split}.mp4")
    with pytest.raises(ManifestError, match="identity ann in train"):
        run_folder(tmp_path / "corpus", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_leak_against_an_earlier_run_into_the_folder_is_refused(tmp_path):
    make_video(tmp_path / "corpus/train/real/ann/1.mp4")
    run_folder(tmp_path / "corpus", tmp_path / "out")
    (tmp_path / "corpus/train").rename(tmp_path / "corpus/test")
    with pytest.raises(ManifestError, match="identity ann in train"):
        run_folder(tmp_path / "corpus", tmp_path / "out")


@pytest.mark.slow
def test_two_corpora_share_a_folder(corpus, tmp_path):
    run_folder(corpus, tmp_path / "out")
    (corpus / "list.csv").write_text("path,label,split\nval/real/b.mp4,0,test\n")
    run_corpus("csv", corpus / "list.csv", tmp_path / "out")
    rows = load_manifest(tmp_path / "out").rows
    assert [row.corpus for row in rows].count("csv") == 2
    assert len(rows) == 10
    assert rows[0].source == "val/real/b.mp4"


def test_left_out_files_are_listed_and_counted(corpus, tmp_path, capsys):
    (corpus / "train/real/notes.txt").touch()
    run_folder(corpus, tmp_path / "out")
    assert "left out: 1 × no video (train/real/notes.txt)" in capsys.readouterr().out
    with (tmp_path / "out/left_out/folder.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"name": "train/real/notes.txt", "reason": "no video"}]


def test_unlabelled_videos_are_left_out_and_said(corpus, tmp_path, capsys):
    (corpus / "list.csv").write_text("path,label\nval/real/b.mp4,\nval/fake/Swap/b.mp4,1\n")
    run_corpus("csv", corpus / "list.csv", tmp_path / "out")
    assert {row.label for row in load_manifest(tmp_path / "out").rows} == {1}
    assert "no label: give it to detect (val/real/b.mp4)" in capsys.readouterr().out


@pytest.mark.slow
def test_limit_is_for_each_split_and_manipulation(corpus, tmp_path):
    for number in range(3):
        make_video(corpus / f"train/real/more{number}.mp4")
    run_folder(corpus, tmp_path / "out", limit=1)
    assert len({row.video_id for row in load_manifest(tmp_path / "out").rows}) == 4


def test_options_of_the_corpus_are_passed_on(corpus, tmp_path):
    run_folder(corpus, tmp_path / "out", splits=("val",), manipulations=("Swap",))
    assert {row.split for row in load_manifest(tmp_path / "out").rows} == {"val"}
    with pytest.raises(CorpusError, match="none of train, val, test"):
        run_folder(corpus, tmp_path / "out", splits=("dev",))


@pytest.mark.slow
def test_any_name_of_a_file_becomes_clips_that_are_read_again(tmp_path):
    names = ["new\nline", "return\r", "n" * 251, "a.json/x", "a", "b.mp4/x", 'q"u;o,te', "a?", "a_"]
    for name in names:
        make_video(tmp_path / f"corpus/train/real/{name}.mp4")
    make_video(tmp_path / os.fsdecode(b"corpus/train/real/\xff.mp4"))
    assert run_folder(tmp_path / "corpus", tmp_path / "out") == 0
    manifest = load_manifest(tmp_path / "out")
    assert {row.source for row in manifest.rows} == {f"train/real/{name}.mp4" for name in names}
    assert "UTF-8" in (tmp_path / "out/left_out/folder.csv").read_text()
    before = file_hashes(tmp_path / "out")
    assert run_folder(tmp_path / "corpus", tmp_path / "out") == 0
    assert file_hashes(tmp_path / "out") == before
