"""DFDC: training parts, Kaggle samples, validation, test and preview sets; partial copies."""

import pytest

from deepfake_ssat.corpora import CorpusOptions, index_corpus
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.manifest import check_leaks
from tests.corpora.trees import by_id, reasons, touch, write_json

FAKE_OF_A = {"label": "FAKE", "split": "train", "original": "a.mp4"}
REAL = {"label": "REAL", "split": "train"}


def _part(root, name, entries, files=None):
    write_json(root / name / "metadata.json", entries)
    touch(root, *(f"{name}/{file}" for file in (entries if files is None else files)))


@pytest.mark.parametrize("name", ["dfdc_train_part_0", "dfdc_train_part_00"])
def test_part_zero_is_named_either_way(tmp_path, name):
    _part(tmp_path, name, {"a.mp4": REAL, "x.mp4": FAKE_OF_A})
    videos = by_id(index_corpus("dfdc", tmp_path))
    assert sorted(videos) == ["part_0/a", "part_0/x"]
    assert (videos["part_0/a"].label, videos["part_0/a"].manipulation) == (0, "original")
    assert (videos["part_0/x"].label, videos["part_0/x"].manipulation) == (1, "DFDC")


def test_zip_that_unpacks_into_a_folder_of_its_own_is_found(tmp_path):
    _part(tmp_path, "dfdc_train_part_03/dfdc_train_part_3", {"a.mp4": REAL})
    assert sorted(by_id(index_corpus("dfdc", tmp_path))) == ["part_3/a"]


def test_group_is_the_original_even_if_that_is_absent(tmp_path):
    _part(tmp_path, "dfdc_train_part_0", {"a.mp4": REAL, "x.mp4": FAKE_OF_A}, files=["x.mp4"])
    (video,) = index_corpus("dfdc", tmp_path).videos
    assert video.group == "a"


def test_split_is_by_part_and_last_tenth_is_held_out(tmp_path):
    for part in (0, 44, 45, 49):
        _part(tmp_path, f"dfdc_train_part_{part}", {f"v{part}.mp4": REAL})
    splits = {video.video_id: video.split for video in index_corpus("dfdc", tmp_path).videos}
    assert splits == {
        "part_0/v0": "train",
        "part_44/v44": "train",
        "part_45/v45": "val",
        "part_49/v49": "val",
    }


def test_held_out_parts_can_be_chosen(tmp_path):
    for part in (0, 10):
        _part(tmp_path, f"dfdc_train_part_{part}", {f"v{part}.mp4": REAL})
    index = index_corpus("dfdc", tmp_path, CorpusOptions(validation_parts=(10,)))
    assert [video.split for video in index.videos] == ["train", "val"]


def test_file_named_in_metadata_but_absent_is_skipped_and_counted(tmp_path):
    _part(tmp_path, "dfdc_train_part_0", {"a.mp4": REAL, "x.mp4": FAKE_OF_A}, files=["a.mp4"])
    index = index_corpus("dfdc", tmp_path)
    assert len(index.videos) == 1
    assert reasons(index) == {"dfdc_train_part_0/x.mp4": "named in the label file, not in this copy"}


def test_file_that_metadata_does_not_name_has_no_label_and_is_reported(tmp_path):
    _part(tmp_path, "dfdc_train_part_0", {"a.mp4": REAL}, files=["a.mp4", "z.mp4"])
    index = index_corpus("dfdc", tmp_path)
    assert len(index.videos) == 1
    assert "dfdc_train_part_0/z.mp4" in reasons(index)


def test_kaggle_samples_follow_their_original_and_are_not_counted_twice(tmp_path):
    _part(tmp_path, "dfdc_train_part_49", {"a.mp4": REAL, "x.mp4": FAKE_OF_A}, files=["a.mp4"])
    _part(tmp_path, "train_sample_videos", {"a.mp4": REAL, "x.mp4": FAKE_OF_A, "b.mp4": REAL})
    index = index_corpus("dfdc", tmp_path)
    videos = by_id(index)
    assert sorted(videos) == ["part_49/a", "train_sample_videos/b", "train_sample_videos/x"]
    assert videos["train_sample_videos/x"].split == "val"
    assert videos["train_sample_videos/b"].split == "train"
    assert reasons(index)["train_sample_videos/a.mp4"] == "same video in another folder"
    check_leaks(index.videos)


def test_kaggle_test_videos_have_no_label(tmp_path):
    touch(tmp_path, "test_videos/a.mp4")
    (video,) = index_corpus("dfdc", tmp_path).videos
    assert (video.label, video.manipulation, video.split) == (None, "unlabelled", "test")


def test_validation_labels_say_1_for_fake(tmp_path):
    touch(tmp_path, "validation/a.mp4", "validation/b.mp4")
    (tmp_path / "validation/labels.csv").write_text("filename,label\na.mp4,1\nb.mp4,0\n")
    videos = by_id(index_corpus("dfdc", tmp_path))
    assert (videos["validation/a"].label, videos["validation/b"].label) == (1, 0)
    assert {video.split for video in videos.values()} == {"val"}


def test_labelled_copy_of_a_video_wins_over_the_unlabelled(tmp_path):
    touch(tmp_path, "test_videos/a.mp4", "validation/a.mp4")
    (tmp_path / "validation/labels.csv").write_text("filename,label\na.mp4,1\n")
    assert sorted(by_id(index_corpus("dfdc", tmp_path))) == ["validation/a"]


def test_test_set_reads_is_fake(tmp_path):
    entries = {"a.mp4": {"is_fake": 1, "augmentations": {}}, "b.mp4": {"is_fake": 0, "augmentations": {}}}
    _part(tmp_path, "test", entries)
    videos = by_id(index_corpus("dfdc", tmp_path))
    assert (videos["test/a"].label, videos["test/b"].label) == (1, 0)
    assert {video.split for video in videos.values()} == {"test"}


def test_label_files_that_contradict_each_other_are_refused(tmp_path):
    _part(tmp_path, "test", {"a.mp4": {"is_fake": 1}})
    (tmp_path / "test/labels.csv").write_text("filename,label\na.mp4,0\n")
    with pytest.raises(CorpusError, match=r"a\.mp4 has another label"):
        index_corpus("dfdc", tmp_path)


@pytest.mark.parametrize("text", ["{", '{"a.mp4": {}}', '{"a.mp4": {"label": "MAYBE"}}', "[]"])
def test_damaged_metadata_is_one_line(tmp_path, text):
    touch(tmp_path, "dfdc_train_part_0/a.mp4")
    (tmp_path / "dfdc_train_part_0/metadata.json").write_text(text)
    with pytest.raises(CorpusError, match=r"metadata\.json: is no DFDC metadata"):
        index_corpus("dfdc", tmp_path)


def test_preview_takes_label_set_and_people_from_dataset_json(tmp_path):
    entry = {"label": "fake", "set": "test", "augmentations": [], "target_id": 7, "swapped_id": 9}
    entries = {
        "method_A/7/7_A/x.mp4": entry,
        "original_videos/7/y.mp4": {"label": "real", "set": "test", "target_id": 7, "swapped_id": None},
        "original_videos/8/z.mp4": {"label": "real", "set": "train", "target_id": 8, "swapped_id": None},
        "original_videos/8/gone.mp4": {"label": "real", "set": "train", "target_id": 8, "swapped_id": None},
    }
    write_json(tmp_path / "dataset.json", entries)
    touch(tmp_path, *(name for name in entries if "gone" not in name))
    index = index_corpus("dfdc-preview", tmp_path)
    videos = by_id(index)
    fake, real = videos["method_A/7/7_A/x"], videos["original_videos/7/y"]
    assert (fake.label, fake.manipulation, fake.split, fake.identities) == (1, "method_A", "test", ("7", "9"))
    assert (real.label, real.manipulation, real.identities) == (0, "original", ("7",))
    assert reasons(index) == {"original_videos/8/gone.mp4": "named in dataset.json, not in this copy"}


def test_preview_validation_people_do_not_train(tmp_path):
    entries = {
        f"method_A/{a}/{a}_A/{a}_{b}.mp4": {"label": "fake", "set": "train", "target_id": a, "swapped_id": b}
        for pair in range(20)
        for a, b in ((2 * pair, 2 * pair + 1), (2 * pair + 1, 2 * pair))
    }
    write_json(tmp_path / "dataset.json", entries)
    index = index_corpus("dfdc-preview", touch(tmp_path, *entries))
    check_leaks(index.videos)
    assert sum(video.split == "val" for video in index.videos) == 4  # a tenth of 40


def test_preview_without_dataset_json_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"dataset\.json"):
        index_corpus("dfdc-preview", tmp_path)


def test_names_in_upper_case_are_the_same_videos(tmp_path):
    write_json(tmp_path / "DFDC_Train_Part_7/Metadata.JSON", {"a.mp4": REAL, "x.mp4": FAKE_OF_A})
    touch(tmp_path, "DFDC_Train_Part_7/A.MP4", "DFDC_Train_Part_7/X.mp4")
    videos = by_id(index_corpus("dfdc", tmp_path))
    assert {name: video.label for name, video in videos.items()} == {"part_7/a": 0, "part_7/x": 1}
    assert videos["part_7/x"].original_id == "part_7/a"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_label_files_saved_by_a_spreadsheet_are_read(tmp_path, encoding):
    touch(tmp_path, "validation/a.mp4", "test/b.mp4")
    (tmp_path / "validation/labels.csv").write_bytes("filename;label\ra.mp4;1\r".encode(encoding))
    (tmp_path / "test/metadata.json").write_bytes('{"b.mp4": {"is_fake": 0}}'.encode(encoding))
    videos = by_id(index_corpus("dfdc", tmp_path))
    assert {name: video.label for name, video in videos.items()} == {"validation/a": 1, "test/b": 0}


@pytest.mark.parametrize("text", ["[]", "[1]", "{"])
def test_damaged_dataset_json_is_one_line(tmp_path, text):
    touch(tmp_path, "dataset.json").joinpath("dataset.json").write_text(text)
    with pytest.raises(CorpusError):
        index_corpus("dfdc-preview", tmp_path)
