"""DeepfakeBench's JSON of a data set: names as ours, one split a video, folders of frames."""

import json

import pytest

from deepfake_ssat.corpora import CorpusOptions, index_corpus
from deepfake_ssat.corpora.deepfakebench import frame_folder, listed_videos
from deepfake_ssat.errors import CorpusError
from tests.corpora.trees import by_id, reasons, touch, write_json


def bench_video(label, folder):
    """As DeepfakeBench's own script writes it on Windows."""
    return {"label": label, "frames": [f"{folder}\\{number:03}.png" for number in (1, 0)]}


def faceforensics(compression="c23"):
    """Two videos of FaceForensics++, as its JSON has them."""
    base = "FaceForensics++"
    real = bench_video("FF-real", rf"{base}\original_sequences\youtube\{compression}\frames\003")
    fake = bench_video("FF-DF", rf"{base}\manipulated_sequences\Deepfakes\{compression}\frames\000_003")
    return {
        base: {
            "FF-real": {"train": {}, "val": {}, "test": {compression: {"003": real}}},
            "FF-DF": {"train": {compression: {"000_003": fake}}, "val": {}, "test": {}},
        }
    }


def test_faceforensics_has_the_names_that_ffpp_gives(tmp_path):
    write_json(tmp_path / "lists/FF.json", faceforensics())
    touch(
        tmp_path / "lists/FaceForensics++",
        "original_sequences/youtube/c23/frames/003/000.png",
        "manipulated_sequences/Deepfakes/c23/frames/000_003/000.png",
    )
    official = tmp_path / "official"
    touch(
        official,
        "original_sequences/youtube/c23/videos/003.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
    )
    ours = by_id(index_corpus("ffpp", official))
    theirs = by_id(index_corpus("deepfakebench", tmp_path / "lists/FF.json", CorpusOptions(crops=True)))
    assert theirs.keys() == ours.keys() == {"youtube/c23/003", "Deepfakes/c23/000_003"}
    for name, video in theirs.items():
        same = ("corpus", "label", "manipulation", "identities", "group", "compression", "original_id")
        assert [getattr(video, key) for key in same] == [getattr(ours[name], key) for key in same]
    # The split is the one of the JSON, where it differs from the official one.
    assert [theirs[name].split for name in sorted(theirs)] == ["train", "test"]


def test_compressions_are_chosen(tmp_path):
    both = faceforensics()
    for name, splits in faceforensics("c40")["FaceForensics++"].items():
        for split, members in splits.items():
            both["FaceForensics++"][name][split] |= members
    write_json(tmp_path / "FF.json", both)
    for folder in listed_videos(tmp_path / "FF.json"):
        (tmp_path / folder).mkdir(parents=True)
    index = index_corpus("deepfakebench", tmp_path / "FF.json", CorpusOptions(compressions=("c40",)))
    assert set(by_id(index)) == {"youtube/c40/003", "Deepfakes/c40/000_003"}


def test_video_in_several_splits_is_of_the_test_set_else_trained_on(tmp_path):
    real, fake = (
        bench_video(name, f"./datasets/Celeb-DF-v2/{folder}")
        for name, folder in (
            ("CelebDFv2_real", "Celeb-real/frames/id0_0001"),
            ("CelebDFv2_fake", "Celeb-synthesis/frames/id0_id1_0000"),
        )
    )
    write_json(
        tmp_path / "Celeb.json",
        {
            "Celeb-DF-v2": {
                "CelebDFv2_real": {"train": {}, "val": {"a": real}, "test": {"a": real}},
                "CelebDFv2_fake": {"train": {"b": fake}, "val": {"b": fake}, "test": {}},
            }
        },
    )
    found = {video.video_id: video for video in listed_videos(tmp_path / "Celeb.json").values()}
    assert {name: (video.split, video.label, video.corpus) for name, video in found.items()} == {
        "Celeb-real/id0_0001": ("test", 0, "celebdf"),
        "Celeb-synthesis/id0_id1_0000": ("train", 1, "celebdf"),
    }
    assert found["Celeb-synthesis/id0_id1_0000"].manipulation == "CelebDFv2_fake"


def test_a_video_in_place_of_a_split_is_read(tmp_path):
    """So DeepfakeBench's script writes the validation part of DFDC."""
    video = bench_video("DFDC_Real", "DFDC/test/frames/abc")
    splits = {"train": {}, "test": {"abc": video}, "val": video}
    write_json(tmp_path / "DFDC.json", {"DFDC": {"DFDC_Real": splits}})
    (found,) = listed_videos(tmp_path / "DFDC.json").values()
    assert (found.corpus, found.video_id, found.split) == ("dfdc", "test/abc", "test")


def test_absent_folders_are_left_out_and_none_is_an_error(tmp_path):
    write_json(tmp_path / "FF.json", faceforensics())
    with pytest.raises(CorpusError, match=r"none of the 2 folders of frames .* relative to"):
        index_corpus("deepfakebench", tmp_path / "FF.json")
    touch(tmp_path / "FaceForensics++/original_sequences/youtube/c23/frames/003", "000.png")
    index = index_corpus("deepfakebench", tmp_path / "FF.json")
    assert list(by_id(index)) == ["youtube/c23/003"]
    assert list(reasons(index).values()) == ["named in the JSON, not there"]


def test_frames_of_either_slash_are_of_one_folder():
    assert frame_folder(r".\rgb\a\frames\001\000.png") == frame_folder("rgb/a/frames/001/017.png")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "is no data set of DeepfakeBench"),
        ({"X": {"X_real": {"test": {"v": {"frames": [3]}}}}}, "frames are no list of paths"),
        ({"X": {"X_real": {"dev": {}}}}, "split 'dev' is none of"),
        ({"X": {"X_real": {"test": {"v": 3}}}}, "is no data set of DeepfakeBench"),
        ({"X": {"X_real": {"test": {}}}}, "lists no frames"),
        ({"X": {"X_a": {"test": {"v": bench_video("X_a", "f/v")}}}}, "says neither real nor fake"),
        (
            {"X": {name: {"test": {"v": bench_video(name, "f/v")}} for name in ("X_real", "X_fake")}},
            "a video has one class",
        ),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, values, message):
    (tmp_path / "x.json").write_text(json.dumps(values))
    with pytest.raises(CorpusError, match=message):
        index_corpus("deepfakebench", tmp_path / "x.json")
