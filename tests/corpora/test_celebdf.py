"""Celeb-DF v1, v2 and ++: folders, the inverted labels of the test list, and people kept in one split."""

import pytest

from deepfake_ssat.corpora import CorpusOptions, index_corpus
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.manifest import check_leaks
from tests.corpora.trees import by_id, reasons, touch

BY_IDENTITY = CorpusOptions(split_by_identity=True)


def _list(root, *lines):
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines) + "\n")


def test_list_writes_1_for_real(tmp_path):
    touch(tmp_path, "Celeb-real/id1_0007.mp4", "Celeb-synthesis/id1_id0_0007.mp4", "YouTube-real/00170.mp4")
    _list(
        tmp_path,
        "1 Celeb-real/id1_0007.mp4",
        "0 Celeb-synthesis/id1_id0_0007.mp4",
        "1 YouTube-real/00170.mp4",
    )
    videos = by_id(index_corpus("celebdf", tmp_path))
    assert {name: video.label for name, video in videos.items()} == {
        "Celeb-real/id1_0007": 0,
        "Celeb-synthesis/id1_id0_0007": 1,
        "YouTube-real/00170": 0,
    }
    assert {video.split for video in videos.values()} == {"test"}
    assert videos["Celeb-synthesis/id1_id0_0007"].identities == ("id1", "id0")


def test_list_with_exchanged_labels_is_refused(tmp_path):
    touch(tmp_path, "Celeb-real/id1_0007.mp4")
    _list(tmp_path, "0 Celeb-real/id1_0007.mp4")
    with pytest.raises(CorpusError, match="listed as fake"):
        index_corpus("celebdf", tmp_path)


@pytest.mark.parametrize(
    "folder", ["YouTube-real", "Youtube-real", "Youtube-real/videos", "YouTube-real/videos"]
)
def test_folder_variations_have_one_id(tmp_path, folder):
    touch(tmp_path, f"{folder}/00170.mp4")
    _list(tmp_path, "1 YouTube-real/00170.mp4")
    assert [video.video_id for video in index_corpus("celebdf", tmp_path).videos] == ["YouTube-real/00170"]


def test_video_of_a_test_person_does_not_train(tmp_path):
    touch(
        tmp_path,
        "Celeb-real/id1_0007.mp4",
        "Celeb-real/id1_0000.mp4",
        "Celeb-synthesis/id5_id1_0000.mp4",
        "Celeb-real/id5_0000.mp4",
    )
    _list(tmp_path, "1 Celeb-real/id1_0007.mp4")
    index = index_corpus("celebdf", tmp_path)
    splits = {video.video_id: video.split for video in index.videos}
    assert splits["Celeb-real/id1_0007"] == "test"
    assert splits["Celeb-real/id5_0000"] in ("train", "val")
    assert sorted(reasons(index)) == ["Celeb-real/id1_0000.mp4", "Celeb-synthesis/id5_id1_0000.mp4"]
    assert set(reasons(index).values()) == {"shows a person of the official test list"}
    check_leaks(index.videos)


def test_listed_video_that_the_copy_lacks_is_reported(tmp_path):
    touch(tmp_path, "Celeb-real/id1_0007.mp4")
    _list(tmp_path, "1 Celeb-real/id1_0007.mp4", "1 Celeb-real/id2_0000.mp4")
    assert list(reasons(index_corpus("celebdf", tmp_path))) == ["Celeb-real/id2_0000.mp4"]


def test_splits_by_identity_have_fakes_in_each_and_no_common_person(tmp_path):
    clusters = [range(10), range(10, 14), range(14, 18), range(18, 20)]
    fakes = [f"Celeb-synthesis/id{a}_id{b}_0000.mp4" for c in clusters for a in c for b in c if a != b]
    touch(tmp_path, *fakes, *(f"YouTube-real/{number:05d}.mp4" for number in range(40)))
    index = index_corpus("celebdf", tmp_path, BY_IDENTITY)
    check_leaks(index.videos)
    fakes_in = {
        split: sum(v.split == split and v.label == 1 for v in index.videos)
        for split in ("train", "val", "test")
    }
    assert fakes_in["train"] > fakes_in["val"] > 0
    assert fakes_in["test"] > 0
    assert len(index.videos) == len(fakes) + 40
    assert index == index_corpus("celebdf", tmp_path, BY_IDENTITY)


def test_missing_or_damaged_list_is_refused(tmp_path):
    touch(tmp_path, "Celeb-real/id1_0007.mp4")
    with pytest.raises(CorpusError, match=r"List_of_testing_videos\.txt"):
        index_corpus("celebdf", tmp_path)
    _list(tmp_path, "2 Celeb-real/id1_0007.mp4")
    with pytest.raises(CorpusError, match="lines such as '1 Celeb-real"):
        index_corpus("celebdf", tmp_path)


def test_other_names_are_reported(tmp_path):
    touch(tmp_path, "Celeb-real/id1_0007.mp4", "Celeb-real/holiday.mp4")
    assert "Celeb-real/holiday.mp4" in reasons(index_corpus("celebdf", tmp_path, BY_IDENTITY))


def test_methods_of_celebdf_plus_plus_are_indexed(tmp_path):
    touch(
        tmp_path,
        "Celeb-real/id0_0001.mp4",
        "Celeb-synthesis/FaceSwap/Celeb-DF/id0_id1_0001.mp4",
        "Celeb-synthesis/FaceReenact/LivePortrait/id0_id1_0001.mp4",
        "Celeb-synthesis/TalkingFace/FLOAT/videos/id0_0001_test_WRA_7.mp4",
    )
    _list(tmp_path, "0 Celeb-synthesis/FaceSwap/Celeb-DF/id0_id1_0001.mp4", "1 Celeb-real/id0_0001.mp4")
    index = index_corpus("celebdf", tmp_path)
    assert {v.video_id: (v.label, v.manipulation, v.split) for v in index.videos} == {
        "Celeb-real/id0_0001": (0, "original", "test"),
        "Celeb-synthesis/FaceSwap/Celeb-DF/id0_id1_0001": (1, "Celeb-DF", "test"),
    }
    assert {"shows a person of the official test list"} == set(reasons(index).values())
    videos = by_id(index_corpus("celebdf", tmp_path, BY_IDENTITY))
    talking = videos["Celeb-synthesis/TalkingFace/FLOAT/id0_0001_test_wra_7"]
    assert (talking.label, talking.manipulation, talking.identities) == (1, "FLOAT", ("id0",))
    swap = videos["Celeb-synthesis/FaceReenact/LivePortrait/id0_id1_0001"]
    assert swap.identities == ("id0", "id1")
    assert swap.original_id == talking.original_id == "Celeb-real/id0_0001"


def test_names_in_upper_case_are_the_same_videos(tmp_path):
    touch(tmp_path, "CELEB-REAL/ID1_0007.MP4", "celeb-synthesis/ID1_ID0_0007.Mp4")
    (tmp_path / "list_of_testing_videos.TXT").write_text(
        "1 Celeb-real/id1_0007.mp4\n0 Celeb-synthesis/id1_id0_0007.mp4\n"
    )
    index = index_corpus("celebdf", tmp_path)
    assert sorted(by_id(index)) == ["Celeb-real/id1_0007", "Celeb-synthesis/id1_id0_0007"]
    assert {video.split for video in index.videos} == {"test"}
    assert index.left_out == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_list_saved_by_an_editor_is_read(tmp_path, encoding):
    touch(tmp_path, "Celeb-real/id1_0007.mp4")
    text = "1 Celeb-real/id1_0007.mp4\r\n"
    (tmp_path / "List_of_testing_videos.txt").write_bytes(text.encode(encoding))
    assert index_corpus("celebdf", tmp_path).videos[0].split == "test"


def test_extracted_frames_are_read_where_a_folder_has_no_videos(tmp_path):
    touch(
        tmp_path,
        "Celeb-real/frames/id1_0007/000.png",
        "Celeb-synthesis/FaceSwap/GHOST/frames/id1_id0_0007/0.png",
    )
    videos = by_id(index_corpus("celebdf", tmp_path, BY_IDENTITY))
    assert sorted(videos) == ["Celeb-real/id1_0007", "Celeb-synthesis/FaceSwap/GHOST/id1_id0_0007"]
    assert videos["Celeb-real/id1_0007"].path.is_dir()
