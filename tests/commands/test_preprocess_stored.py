"""preprocess of a corpus in an object store: the output is that of the same corpus on this machine."""

import csv
import shutil
from pathlib import Path

import pytest

from deepfake_ssat.commands import preprocess
from deepfake_ssat.corpora import CorpusOptions
from deepfake_ssat.errors import CorpusError, OutputError
from tests.commands.fixed_faces import SETTINGS, PrepareFixed
from tests.commands.preprocess_runs import file_hashes, make_corpus, make_video, run_corpus, run_folder
from tests.stores import buckets, dated, opened  # noqa: F401


@pytest.fixture
def corpora(buckets, monkeypatch, tmp_path):  # noqa: F811
    """A bucket of corpora, and the same on this machine."""
    monkeypatch.setattr("deepfake_ssat.extraction.preprocess.PrepareExtraction", PrepareFixed)
    root = buckets / "corpora"
    make_corpus(root / "folder")
    for name in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        make_video(root / f"ffpp/{name}/c23/videos/{'033' if 'youtube' in name else '033_097'}.mp4")
    make_video(root / "ffpp/manipulated_sequences/Deepfakes/masks/videos/033_097.mp4")
    make_video(root / "ffpp/stray.mp4")
    (root / "list.csv").write_text("path,label\nfolder/train/real/a.mp4,real\nabsent.mp4,fake\n")
    dated(root)
    shutil.copytree(root, tmp_path / "here")
    return buckets


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "place"), [("ffpp", "ffpp"), ("csv", "list.csv")])
def test_output_is_that_of_the_corpus_on_this_machine(corpora, tmp_path, corpus, place):
    assert run_corpus(corpus, f"s3://corpora/{place}", tmp_path / "stored") == 0
    assert run_corpus(corpus, tmp_path / "here" / place, tmp_path / "local") == 0
    hashes = file_hashes(tmp_path / "stored")
    assert hashes == file_hashes(tmp_path / "local")
    assert any(name.startswith("clips/") for name in hashes)
    before = len(opened(corpora))
    assert (
        run_corpus(corpus, tmp_path / "here" / place, tmp_path / "stored") == 0
    )  # Either goes on with either.
    assert run_corpus(corpus, f"s3://corpora/{place}", tmp_path / "stored") == 0
    assert [name for name in opened(corpora)[before:] if name.endswith(".mp4")] == []
    assert file_hashes(tmp_path / "stored") == hashes


@pytest.mark.slow
def test_what_cannot_be_brought_is_tried_again(corpora, tmp_path, capsys):
    make_video(corpora / "corpora/folder/train/real/large.mp4", num_frames=40)
    too_little = (corpora / "corpora/folder/train/real/large.mp4").stat().st_size / 1e6 - 1e-6
    (corpora / "corpora/folder/val/real/text.mp4").write_text("no video")
    given = ("folder", "s3://corpora/folder", tmp_path / "out", SETTINGS, CorpusOptions(), 1)
    assert preprocess.run(*given, max_download=too_little) == 1
    told = capsys.readouterr().out
    assert "\ns3://corpora/folder/train/real/large.mp4: is larger" in f"\n{told}"
    with (tmp_path / "out/dropped.csv").open(newline="") as lines:
        details = {row["video_id"]: row["detail"] for row in csv.DictReader(lines)}
    assert details["val/real/text"].startswith("s3://corpora/folder/val/real/text.mp4 ")
    before = len(opened(corpora))
    assert preprocess.run(*given) == 0
    assert opened(corpora)[before:] == ["corpora/folder/train/real/large.mp4"]


def test_refusals_name_the_address(corpora, tmp_path):
    with pytest.raises(CorpusError, match=r"^s3://corpora/folder: no FaceForensics\+\+ video"):
        run_corpus("ffpp", "s3://corpora/folder", tmp_path / "out")
    crops = SETTINGS.model_copy(update={"already_cut": True})
    with pytest.raises(CorpusError, match=r"^s3://corpora/folder: --crops lists pictures where they lie"):
        run_corpus("folder", "s3://corpora/folder", tmp_path / "out", crops)
    with pytest.raises(
        OutputError, match=r"^s3://corpora/out: only files of this machine are written; mount"
    ):
        run_folder("s3://corpora/folder", Path("s3://corpora/out"))
    assert not (tmp_path / "out").exists()
