"""FaceForensics++: the official folders, splits and ids, and DFD beside it."""

import json

import pytest

from deepfake_ssat.corpora import CorpusOptions, index_corpus
from deepfake_ssat.corpora.ffpp import BUNDLED_SPLITS
from deepfake_ssat.errors import CorpusError, ManifestError
from deepfake_ssat.manifest import check_leaks
from tests.corpora.trees import by_id, reasons, touch, write_json

YOUTUBE = "original_sequences/youtube"
ACTORS = "original_sequences/actors"
FAKES = "manipulated_sequences"


def test_original_and_fake_of_a_training_pair(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4", f"{FAKES}/Deepfakes/c23/videos/071_054.mp4")
    videos = by_id(index_corpus("ffpp", tmp_path))
    real, fake = videos["youtube/c23/071"], videos["Deepfakes/c23/071_054"]
    assert (real.label, real.manipulation, real.split) == (0, "original", "train")
    assert (fake.label, fake.manipulation, fake.split) == (1, "Deepfakes", "train")
    assert fake.identities == ("071", "054")
    assert fake.group == real.group == "071"


def test_same_name_exists_once_per_manipulation(tmp_path):
    methods = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
    touch(tmp_path, *(f"{FAKES}/{method}/c23/videos/071_054.mp4" for method in methods))
    videos = by_id(index_corpus("ffpp", tmp_path))
    assert sorted(videos) == sorted(f"{method}/c23/071_054" for method in methods)
    assert {video.manipulation for video in videos.values()} == set(methods)


@pytest.mark.parametrize("folder", ["raw", "c0"])
def test_raw_and_c0_are_the_same_compression(tmp_path, folder):
    touch(tmp_path, f"{YOUTUBE}/{folder}/videos/071.mp4", f"{YOUTUBE}/c40/videos/071.mp4")
    for name in ("raw", "c0"):
        index = index_corpus("ffpp", tmp_path, CorpusOptions(compressions=(name,)))
        assert [(video.video_id, video.compression) for video in index.videos] == [("youtube/raw/071", "raw")]


def test_raw_and_c0_folders_of_one_copy_give_each_video_once(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/raw/videos/071.mp4", f"{YOUTUBE}/c0/videos/071.mp4")
    index = index_corpus("ffpp", tmp_path)
    assert len(index.videos) == 1
    assert "twice" in reasons(index)[f"{YOUTUBE}/c0/videos/071.mp4"]


def test_compression_that_does_not_exist_is_refused(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    with pytest.raises(CorpusError, match="'c32' is none of raw"):
        index_corpus("ffpp", tmp_path, CorpusOptions(compressions=("c32",)))


def test_bundled_splits_are_360_70_70_pairs_of_distinct_ids():
    pairs = {
        split: json.loads((BUNDLED_SPLITS / f"{split}.json").read_text())
        for split in ("train", "val", "test")
    }
    assert {split: len(pairs[split]) for split in pairs} == {"train": 360, "val": 70, "test": 70}
    ids = [name for split in pairs.values() for pair in split for name in pair]
    assert sorted(ids) == [f"{number:03d}" for number in range(1000)]


def test_full_set_has_720_140_140_of_each_method(tmp_path):
    ids = [f"{number:03d}" for number in range(1000)]
    pairs = [
        pair
        for split in ("train", "val", "test")
        for pair in json.loads((BUNDLED_SPLITS / f"{split}.json").read_text())
    ]
    names = [f"{YOUTUBE}/c23/videos/{name}.mp4" for name in ids]
    names += [
        f"{FAKES}/FaceSwap/c23/videos/{name}.mp4" for a, b in pairs for name in (f"{a}_{b}", f"{b}_{a}")
    ]
    index = index_corpus("ffpp", touch(tmp_path, *names))
    for label in (0, 1):
        counts = [
            sum(video.split == split and video.label == label for video in index.videos)
            for split in ("train", "val", "test")
        ]
        assert counts == [720, 140, 140]
    check_leaks(index.videos)


@pytest.mark.parametrize("place", ["", "splits", "dataset/splits"])
def test_split_lists_of_the_copy_win_over_the_bundled_ones(tmp_path, place):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    for split, pair in (("train", ["001", "002"]), ("val", ["003", "004"]), ("test", ["071", "054"])):
        write_json(tmp_path / place / f"{split}.json", [pair])
    assert index_corpus("ffpp", tmp_path).videos[0].split == "test"


def test_missing_one_of_three_split_lists_is_refused(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    write_json(tmp_path / "train.json", [["071", "054"]])
    with pytest.raises(CorpusError, match=r"val\.json is missing beside train\.json"):
        index_corpus("ffpp", tmp_path)


def test_id_in_two_split_lists_is_refused(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    for split, pair in (("train", ["071", "054"]), ("val", ["071", "004"]), ("test", ["005", "006"])):
        write_json(tmp_path / f"{split}.json", [pair])
    with pytest.raises(CorpusError, match=r"id 071 is in train\.json too"):
        index_corpus("ffpp", tmp_path)


def test_video_in_no_split_list_is_left_out_and_reported(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4", f"{YOUTUBE}/c23/videos/1234.mp4")
    index = index_corpus("ffpp", tmp_path)
    assert [video.video_id for video in index.videos] == ["youtube/c23/071"]
    assert reasons(index) == {f"{YOUTUBE}/c23/videos/1234.mp4": "in no split list"}


def test_fake_between_train_and_test_people_is_refused_by_name(tmp_path):
    # 071 is in train.json, 953 in test.json.
    touch(tmp_path, f"{FAKES}/FaceSwap/c23/videos/071_953.mp4", f"{YOUTUBE}/c23/videos/953.mp4")
    with pytest.raises(ManifestError, match=r"identity 953 in train \(FaceSwap/c23/071_953\) and test"):
        check_leaks(index_corpus("ffpp", tmp_path).videos)


def test_dfd_is_test_only_and_a_corpus_of_its_own(tmp_path):
    touch(
        tmp_path,
        f"{ACTORS}/c23/videos/24__outside_talking_still_laughing.mp4",
        f"{FAKES}/DeepFakeDetection/c23/videos/24_23__outside_talking_still_laughing__YR5OVD4S.mp4",
    )
    real, fake = sorted(index_corpus("ffpp", tmp_path).videos, key=lambda video: video.label)
    assert real.corpus == fake.corpus == "dfd"
    assert real.split == fake.split == "test"
    assert (real.manipulation, real.identities) == ("original", ("actor24",))
    assert (fake.manipulation, fake.identities) == ("DeepFakeDetection", ("actor24", "actor23"))


def test_masks_go_with_their_fakes_where_they_exist(tmp_path):
    base = f"{FAKES}/Face2Face"
    touch(tmp_path, f"{base}/c23/videos/071_054.mp4", f"{base}/c23/videos/054_071.mp4")
    touch(tmp_path, f"{base}/masks/videos/071_054.mp4")
    videos = by_id(index_corpus("ffpp", tmp_path))
    assert videos["Face2Face/c23/071_054"].mask_path == tmp_path / base / "masks/videos/071_054.mp4"
    assert videos["Face2Face/c23/054_071"].mask_path is None


def test_fake_knows_its_original_of_the_same_compression(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    touch(tmp_path, f"{FAKES}/FaceSwap/c23/videos/071_054.mp4", f"{FAKES}/FaceSwap/c40/videos/071_054.mp4")
    videos = by_id(index_corpus("ffpp", tmp_path))
    assert videos["FaceSwap/c23/071_054"].original_path == tmp_path / f"{YOUTUBE}/c23/videos/071.mp4"
    assert videos["FaceSwap/c40/071_054"].original_path is None
    assert videos["youtube/c23/071"].original_path is None


@pytest.mark.parametrize("name", ["images", "frames", "Frames"])
def test_extracted_frames_are_read_where_a_method_has_no_videos(tmp_path, name):
    touch(tmp_path, f"{YOUTUBE}/c23/{name}/071/0001.png", f"{FAKES}/FaceSwap/c23/{name}/071_054/0001.png")
    index = index_corpus("ffpp", tmp_path)
    videos = by_id(index)
    assert sorted(videos) == ["FaceSwap/c23/071_054", "youtube/c23/071"]
    assert videos["youtube/c23/071"].path == tmp_path / YOUTUBE / "c23" / name / "071"
    assert videos["FaceSwap/c23/071_054"].original_path == videos["youtube/c23/071"].path
    assert index.left_out == ()


def test_frames_beside_the_videos_of_a_method_are_reported(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4", f"{YOUTUBE}/c23/images/071/0001.png")
    index = index_corpus("ffpp", tmp_path)
    assert [video.path.name for video in index.videos] == ["071.mp4"]
    assert reasons(index) == {f"{YOUTUBE}/c23/images": "extracted frames that are not read"}


def test_original_in_frames_is_not_compared_with_a_fake_in_a_video(tmp_path):
    touch(tmp_path, f"{YOUTUBE}/c23/frames/071/0001.png", f"{FAKES}/FaceSwap/c23/videos/071_054.mp4")
    assert by_id(index_corpus("ffpp", tmp_path))["FaceSwap/c23/071_054"].original_path is None


def test_chosen_manipulation_keeps_the_originals_of_its_corpus_only(tmp_path):
    touch(
        tmp_path,
        f"{YOUTUBE}/c23/videos/071.mp4",
        f"{ACTORS}/c23/videos/24__kitchen_pan.mp4",
        f"{FAKES}/Deepfakes/c23/videos/071_054.mp4",
        f"{FAKES}/FaceSwap/c23/videos/071_054.mp4",
    )
    index = index_corpus("ffpp", tmp_path, CorpusOptions(manipulations=("FaceSwap",)))
    assert sorted(by_id(index)) == ["FaceSwap/c23/071_054", "youtube/c23/071"]


def test_manipulation_that_the_copy_lacks_is_refused_with_those_it_has(tmp_path):
    touch(tmp_path, f"{FAKES}/Deepfakes/c23/videos/071_054.mp4")
    with pytest.raises(CorpusError, match="'FaceSwap' is not in this copy; it has Deepfakes"):
        index_corpus("ffpp", tmp_path, CorpusOptions(manipulations=("FaceSwap",)))


def test_other_folder_is_told_what_was_expected(tmp_path):
    with pytest.raises(CorpusError, match="original_sequences/youtube"):
        index_corpus("ffpp", tmp_path)
    with pytest.raises(CorpusError, match="does not exist"):
        index_corpus("ffpp", tmp_path / "absent")


@pytest.mark.parametrize("below", ["", "FaceForensics++_C23/"])
def test_kaggle_copy_gives_the_official_ids(tmp_path, below):
    root = tmp_path / ("archive" if below else "FaceForensics++_C23")
    touch(
        root,
        f"{below}original/071.mp4",
        f"{below}Deepfakes/071_054.mp4",
        f"{below}DeepFakeDetection/24_23__kitchen_pan__YR5OVD4S.mp4",
    )
    videos = by_id(index_corpus("ffpp", root))
    assert sorted(videos) == [
        "DeepFakeDetection/c23/24_23__kitchen_pan__YR5OVD4S",
        "Deepfakes/c23/071_054",
        "youtube/c23/071",
    ]
    assert videos["Deepfakes/c23/071_054"].original_path == root / below / "original/071.mp4"
    assert {video.compression for video in videos.values()} == {"c23"}


def test_kaggle_copy_under_another_name_is_told_that_the_name_counts(tmp_path):
    touch(tmp_path, "original/071.mp4", "Deepfakes/071_054.mp4")
    with pytest.raises(CorpusError, match="the folder's name tells the compression"):
        index_corpus("ffpp", tmp_path)


def test_fakes_name_their_original_whether_it_is_here_or_not(tmp_path):
    touch(
        tmp_path,
        f"{FAKES}/FaceSwap/c40/videos/071_054.mp4",
        f"{FAKES}/DeepFakeDetection/c23/videos/24_23__kitchen_pan__YR5OVD4S.mp4",
    )
    originals = {video.manipulation: video.original_id for video in index_corpus("ffpp", tmp_path).videos}
    assert originals == {"FaceSwap": "youtube/c40/071", "DeepFakeDetection": "actors/c23/24__kitchen_pan"}


def test_upper_case_folders_and_suffixes_are_read(tmp_path):
    touch(tmp_path, "Original_Sequences/YouTube/C23/Videos/071.MP4")
    touch(tmp_path, "Manipulated_Sequences/deepfakes/C23/videos/071_054.Mp4")
    videos = by_id(index_corpus("ffpp", tmp_path))
    assert sorted(videos) == ["Deepfakes/c23/071_054", "youtube/c23/071"]
    assert videos["Deepfakes/c23/071_054"].original_path == videos["youtube/c23/071"].path


@pytest.mark.parametrize("ids", [[71, 54], ["71", "54"]])
def test_split_list_whose_ids_lost_their_zeros_is_read(tmp_path, ids):
    touch(tmp_path, f"{YOUTUBE}/c23/videos/071.mp4")
    for split, pair in (("train", [1, 2]), ("val", [3, 4]), ("test", ids)):
        write_json(tmp_path / f"{split}.json", [pair])
    assert index_corpus("ffpp", tmp_path).videos[0].split == "test"
