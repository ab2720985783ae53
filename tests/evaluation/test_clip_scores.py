"""The file of clip scores outlives a kill, and belongs to one run."""

import pytest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.clip_scores import ClipScoreFile
from deepfake_ssat.evaluation.stored_clips import plan_clips
from tests.manifests import TinyVideo, make_manifest


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    videos = [TinyVideo("a, or [b]", 0), TinyVideo("ü", 1)]
    return plan_clips(make_manifest(tmp_path_factory.mktemp("clips"), videos).rows, 16)


def _written(path, clips, probabilities, run="0123"):
    with ClipScoreFile(path, run) as scores:
        scores.append(clips, probabilities)


def test_scores_are_read_back_as_they_were_used(tmp_path, clips):
    path = tmp_path / "out/clip_scores.csv"
    with ClipScoreFile(path, "0123") as scores:
        scores.append(clips[:2], [1 / 3, 0.1])
        used = [scores[clip] for clip in clips[:2]]
    with ClipScoreFile(path, "0123") as scores:
        assert [clip in scores for clip in clips] == [True, True, False, False]
        assert [scores[clip] for clip in clips[:2]] == used
    assert used == pytest.approx([1 / 3, 0.1])


def test_later_scores_are_added(tmp_path, clips):
    path = tmp_path / "clip_scores.csv"
    _written(path, clips[:1], [0.1])
    _written(path, clips[1:], [0.2, 0.3, 0.4])
    whole = tmp_path / "whole.csv"
    _written(whole, clips, [0.1, 0.2, 0.3, 0.4])
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_unfinished_line_is_scored_again(tmp_path, clips, cut):
    path = tmp_path / "clip_scores.csv"
    _written(path, clips, [0.1, 0.2, 0.3, 0.4])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with ClipScoreFile(path, "0123") as scores:
        missing = [clip for clip in clips if clip not in scores]
        assert missing == clips[3:]
        scores.append(missing, [0.4])
    assert path.read_bytes() == whole


def test_kill_before_the_heading_was_complete_begins_anew(tmp_path, clips):
    path = tmp_path / "clip_scores.csv"
    path.write_text("run,corpus,vid")
    _written(path, clips[:1], [0.1])
    assert path.read_text().startswith("run,corpus,video_id,clip_file")


def test_scores_of_another_run_are_refused_and_kept(tmp_path, clips):
    path = tmp_path / "clip_scores.csv"
    _written(path, clips, [0.1, 0.2, 0.3, 0.4])
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"another checkpoint.*run 0123, this is 4567.*--out"):
        ClipScoreFile(path, "4567")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["no table\n1\n", "run,clip_file,first_frame,probability\n0123,a.mp4,x,0.5\n"]
)
def test_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "clip_scores.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        ClipScoreFile(path, "0123")
