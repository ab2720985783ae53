"""The paper's numbers stand only beside its own protocol: official splits, complete, one compression."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deepfake_ssat.config import FaceClips, Selection
from deepfake_ssat.corpora.ffpp import BUNDLED_SPLITS, read_splits
from deepfake_ssat.protocols.folds import Fold
from deepfake_ssat.protocols.official import why_unofficial
from deepfake_ssat.protocols.paper import MANIPULATIONS
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Status

DATA = FaceClips(manifest=Path("m"))


@dataclass(frozen=True)
class Videos:
    """As much of a manifest as the check looks at."""

    rows: tuple
    dropped: tuple = ()


def _video(manipulation, name, split, compression="c23", corpus="ffpp"):
    folder = "youtube" if manipulation == "original" else manipulation
    label = REAL if manipulation == "original" else FAKE
    stem = name if label == REAL else f"{name}_{name}"
    video_id = f"{folder}/{compression}/{stem}"
    return DroppedVideo(corpus, video_id, "", split, label, manipulation, Status.NO_FACE, "", compression)


@pytest.fixture(scope="module")
def complete():
    splits = read_splits(BUNDLED_SPLITS)
    assert [list(splits.values()).count(split) for split in ("train", "val", "test")] == [720, 140, 140]
    return tuple(
        _video(manipulation, name, split)
        for manipulation in ("original", *MANIPULATIONS)
        for name, split in splits.items()
    )


def _fold(held_out="FaceSwap", pool=MANIPULATIONS, split="test"):
    return Fold(held_out, pool, Selection(splits=(split,), manipulations=(held_out,)), Path("f"))


def test_complete_official_data_are_official(complete):
    assert why_unofficial(Videos(complete), DATA, _fold()) == ""


def test_dropped_videos_count_as_there(complete):
    assert why_unofficial(Videos(complete[5:], complete[:5]), DATA, _fold()) == ""


def test_other_corpora_in_the_folder_do_not_matter(complete):
    more = (_video("original", "x", "test", corpus="dfd"), _video("FaceShifter", "071", "train"))
    assert why_unofficial(Videos((*complete, *more)), DATA, _fold()) == ""


def test_one_missing_video_is_noticed(complete):
    reason = why_unofficial(Videos(complete[1:]), DATA, _fold())
    assert reason == "split train has 719 of the official 720 original videos"


def test_video_of_another_split_is_noticed(complete):
    last = next(video for video in reversed(complete) if video.split == "test")
    moved = tuple(replace(video, split="val") if video is last else video for video in complete)
    reason = why_unofficial(Videos(moved), DATA, _fold())
    assert reason == "split val has 140 of the official 140 NeuralTextures videos and 1 others"


def test_two_compressions_are_not_the_papers(complete):
    both = (*complete, *(replace(v, compression="c40") for v in complete))
    assert "compressions c23, c40 are mixed" in why_unofficial(Videos(both), DATA, _fold())
    one = Selection(splits=("train",), compressions=("c23",))
    data = DATA.model_copy(update={"train": one, "val": one.model_copy(update={"splits": ("val",)})})
    fold = replace(_fold(), judged=one.model_copy(update={"splits": ("test",)}))
    assert why_unofficial(Videos(both), data, fold) == ""


def test_five_manipulations_or_another_split_are_not_the_papers(complete):
    five = _fold(pool=(*MANIPULATIONS, "FaceShifter"))
    assert why_unofficial(Videos(complete), DATA, five).startswith("the manipulations are Deepfakes")
    assert why_unofficial(Videos(complete), DATA, _fold(split="val")) == (
        "judged on split val, the paper on test"
    )
