"""DeeperForensics, plain folders, CSV tables, and what holds for every corpus."""

import errno
import os
from contextlib import contextmanager

import pytest

from deepfake_ssat.corpora import CORPORA, CorpusOptions, index_corpus
from deepfake_ssat.errors import CorpusError, ManifestError, TextError
from deepfake_ssat.manifest import check_leaks
from tests.corpora.trees import by_id, reasons, touch


def _deeperforensics(root):
    lists = {"train": "000_M101.mp4\n001_M101.mp4\n", "val": "002_W001.mp4\n", "test": "003_W002.mp4\n"}
    for split, text in lists.items():
        touch(root, f"lists/splits/{split}.txt").joinpath(f"lists/splits/{split}.txt").write_text(text)
    return root


def test_deeperforensics_variants_keep_the_official_split(tmp_path):
    touch(
        _deeperforensics(tmp_path),
        "manipulated_videos/end_to_end/000_M101.mp4",
        "manipulated_videos/end_to_end_level_3/003_W002.mp4",
        "manipulated_videos/end_to_end/999_W009.mp4",
        "target_videos/003.mp4",
        "source_videos/M101/light_up/happy/camera_front/M101_light_up_happy_camera_front.mp4",
    )
    index = index_corpus("deeperforensics", tmp_path)
    videos = by_id(index)
    fake = videos["end_to_end/000_M101"]
    assert (fake.label, fake.manipulation, fake.split) == (1, "end_to_end", "train")
    assert fake.identities == ("target000", "M101")
    assert videos["end_to_end_level_3/003_W002"].split == "test"
    target = videos["original/003"]
    assert (target.label, target.manipulation, target.split) == (0, "original", "test")
    assert sorted(reasons(index).values()) == [
        "in no split list",
        "source recording of an actor, not the genuine part",
    ]
    check_leaks(index.videos)


def test_deeperforensics_without_lists_is_refused(tmp_path):
    touch(tmp_path, "manipulated_videos/end_to_end/000_M101.mp4")
    with pytest.raises(CorpusError, match=r"splits/train\.txt: cannot be read"):
        index_corpus("deeperforensics", tmp_path)


def test_folder_labels_and_methods(tmp_path):
    touch(tmp_path, "real/a.mp4", "fake/Swap/b.MOV", "fake/c.mkv", "real/notes.txt", "real/.hidden.mp4")
    index = index_corpus("folder", tmp_path)
    assert {v.video_id: (v.label, v.manipulation) for v in index.videos} == {
        "real/a": (0, "original"),
        "fake/Swap/b": (1, "Swap"),
        "fake/c": (1, "fake"),
    }
    assert reasons(index) == {"real/notes.txt": "no video"}


def test_still_pictures_of_a_folder_are_sources(tmp_path):
    touch(tmp_path, "real/a.jpg", "real/a.mp4", "real/b/c.PNG", "fake/Swap/d.webp", "real/.hidden.jpg")
    index = index_corpus("folder", tmp_path)
    assert {v.video_id: (v.label, v.identities) for v in index.videos} == {
        "real/a.jpg": (0, ()),
        "real/a.mp4": (0, ()),
        "real/b/c": (0, ("b",)),
        "fake/Swap/d": (1, ()),
    }
    assert by_id(index)["real/a.jpg"].split == by_id(index)["real/a.mp4"].split


def test_folder_split_is_the_same_whatever_else_is_there(tmp_path):
    names = [f"real/{number}.mp4" for number in range(200)]
    few = index_corpus("folder", touch(tmp_path / "few", *names[:20]))
    many = by_id(index_corpus("folder", touch(tmp_path / "many", *names)))
    assert all(many[video.video_id].split == video.split for video in few.videos)
    counts = [sum(v.split == split for v in many.values()) for split in ("train", "val", "test")]
    assert counts[0] > 130
    assert min(counts[1:]) > 5


def test_fake_goes_with_the_real_video_of_its_name(tmp_path):
    names = [f"{kind}/{number}.mp4" for number in range(30) for kind in ("real", "fake/Swap")]
    videos = by_id(index_corpus("folder", touch(tmp_path, *names)))
    assert all(videos[f"real/{n}"].split == videos[f"fake/Swap/{n}"].split for n in range(30))


def test_person_folders_stay_in_one_split(tmp_path):
    names = [f"real/person{p}/{n}.mp4" for p in range(20) for n in range(3)]
    names += [f"fake/Swap/person{p}/{n}.mp4" for p in range(20) for n in range(3)]
    index = index_corpus("folder", touch(tmp_path, *names))
    check_leaks(index.videos)
    assert len({(v.identities, v.split) for v in index.videos}) == 20


def test_presplit_folder_keeps_its_splits_and_may_repeat_names(tmp_path):
    touch(tmp_path, "train/real/0.mp4", "train/fake/Swap/0.mp4", "test/real/0.mp4")
    index = index_corpus("folder", tmp_path)
    assert {v.video_id: v.split for v in index.videos} == {
        "train/real/0": "train",
        "train/fake/Swap/0": "train",
        "test/real/0": "test",
    }
    check_leaks(index.videos)


def test_person_in_two_folder_splits_is_refused(tmp_path):
    touch(tmp_path, "train/real/ann/0.mp4", "test/real/ann/1.mp4")
    with pytest.raises(ManifestError, match="identity ann in train"):
        check_leaks(index_corpus("folder", tmp_path).videos)


def test_two_files_of_one_stem_have_two_ids(tmp_path):
    touch(tmp_path, "real/a.mp4", "real/a.avi")
    assert sorted(by_id(index_corpus("folder", tmp_path))) == ["real/a.avi", "real/a.mp4"]


def _table(root, text):
    (root / "list.csv").write_text(text)
    return root / "list.csv"


def test_csv_with_all_columns(tmp_path):
    touch(tmp_path, "x/a.mp4", "x/b.mp4")
    table = _table(
        tmp_path, "path,label,method,split,identity\nx/a.mp4,0,,val,ann\nx/b.mp4,fake,Swap,test,bob;cyd\n"
    )
    videos = by_id(index_corpus("csv", table))
    assert (videos["x/a"].label, videos["x/a"].manipulation, videos["x/a"].split) == (0, "original", "val")
    assert (videos["x/b"].label, videos["x/b"].manipulation, videos["x/b"].split) == (1, "Swap", "test")
    assert videos["x/b"].identities == ("bob", "cyd")


def test_csv_rows_that_share_a_person_share_the_split(tmp_path):
    touch(tmp_path, *(f"{n}.mp4" for n in range(40)))
    rows = "".join(f"{n}.mp4,{n % 2},person{n // 4}\n" for n in range(40))
    index = index_corpus("csv", _table(tmp_path, f"path,label,identity\n{rows}"))
    check_leaks(index.videos)
    assert len({v.split for v in index.videos}) > 1


def test_csv_row_without_file_is_reported_and_without_label_is_unlabelled(tmp_path):
    touch(tmp_path, "a.mp4")
    index = index_corpus("csv", _table(tmp_path, "path,label\na.mp4,\ngone.mp4,1\n"))
    assert [video.label for video in index.videos] == [None]
    assert reasons(index) == {"gone.mp4": "named in the CSV, not there"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.mp4,0\n", "has no column 'path'"),
        ("path,label\na.mp4,0,b,c\n", "line 2: has 4 values for 2 columns"),
        ("path,label\na.mp4,2\n", "line 2: label '2' is none of"),
        ("path,label,split\na.mp4,0,dev\n", "split 'dev' is none of"),
        ("path,label,split\na.mp4,0,val\nb.mp4,0,\n", "1 rows have no split"),
        ("path,label\na.mp4,0\na.mp4,0\n", r"a\.mp4 is listed twice"),
    ],
)
def test_csv_mistakes_are_named(tmp_path, text, message):
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises((CorpusError, TextError), match=message):
        index_corpus("csv", _table(tmp_path, text))


def test_csv_paths_outside_its_folder_get_ids_without_dots(tmp_path):
    touch(tmp_path, "videos/a.mp4", "tables/.keep")
    table = tmp_path / "tables/list.csv"
    table.write_text("path,label\n../videos/a.mp4,0\n")
    (video,) = index_corpus("csv", table).videos
    assert ".." not in video.video_id
    assert not video.video_id.startswith("/")


@pytest.mark.parametrize("corpus", [name for name in CORPORA if name != "csv"])
def test_empty_folder_is_an_error_not_an_empty_index(tmp_path, corpus):
    with pytest.raises(CorpusError):
        index_corpus(corpus, tmp_path)


def test_unknown_corpus_split_and_compression_are_named(tmp_path):
    touch(tmp_path, "real/a.mp4")
    with pytest.raises(CorpusError, match="'faceforensics' is none of ffpp, dfdc"):
        index_corpus("faceforensics", tmp_path)
    with pytest.raises(CorpusError, match="'dev' is none of train, val, test"):
        CorpusOptions(splits=("dev",))
    with pytest.raises(CorpusError, match="has one compression only"):
        index_corpus("folder", tmp_path, CorpusOptions(compressions=("c23",)))


def test_choices_of_another_corpus_are_refused(tmp_path):
    touch(tmp_path, "real/a.mp4")
    with pytest.raises(CorpusError, match="a choice of celebdf only"):
        index_corpus("folder", tmp_path, CorpusOptions(split_by_identity=True))
    with pytest.raises(CorpusError, match="no training parts"):
        index_corpus("folder", tmp_path, CorpusOptions(validation_parts=(1,)))


def test_split_selection_that_leaves_nothing_says_so(tmp_path):
    touch(tmp_path, "train/real/a.mp4")
    with pytest.raises(CorpusError, match="nothing is left of 1 videos with splits test; ask for less"):
        index_corpus("folder", tmp_path, CorpusOptions(splits=("test",)))


def test_videos_behind_linked_folders_are_found(tmp_path):
    touch(tmp_path / "store", "swaps/b.mp4", "people/ann/a.mp4")
    touch(tmp_path / "corpus", "real/c.mp4").joinpath("fake").mkdir()
    (tmp_path / "corpus/fake/Swap").symlink_to(tmp_path / "store/swaps")
    (tmp_path / "corpus/real/people").symlink_to(tmp_path / "store/people")
    index = index_corpus("folder", tmp_path / "corpus")
    assert {v.video_id: v.label for v in index.videos} == {
        "real/c": 0,
        "real/people/ann/a": 0,
        "fake/Swap/b": 1,
    }
    assert index.left_out == ()


def test_links_in_a_loop_end_and_are_named(tmp_path):
    touch(tmp_path, "real/ann/a.mp4", "fake/Swap/b.mp4")
    (tmp_path / "real/ann/again").symlink_to(tmp_path / "real")
    index = index_corpus("folder", tmp_path)
    assert sorted(by_id(index)) == ["fake/Swap/b", "real/ann/a"]
    assert reasons(index) == {"real/ann/again": "a link to what is listed already"}


def test_what_no_reader_looks_at_is_named(tmp_path):
    touch(
        tmp_path,
        "real/a.mp4",
        "fake/Swap/b.mp4",
        "Fakes2/c.mp4",
        "d.MP4",
        "more.zip",
        "shots/0001.png",
        "readme.txt",
        ".trash/e.mp4",
    )
    assert reasons(index_corpus("folder", tmp_path)) == {
        "Fakes2/c.mp4": "where this corpus has no videos",
        "d.MP4": "where this corpus has no videos",
        "more.zip": "an archive: unpack it",
        "shots": "extracted frames that are not read",
        ".trash/e.mp4": "where this corpus has no videos",
    }


def test_folder_names_in_any_case_tell_the_label(tmp_path):
    touch(tmp_path, "Real/a.MP4", "FAKE/Swap/b.mp4")
    assert {v.video_id: v.label for v in index_corpus("folder", tmp_path).videos} == {
        "Real/a": 0,
        "FAKE/Swap/b": 1,
    }


def test_table_saved_by_a_spreadsheet_is_read(tmp_path):
    touch(tmp_path, "Zoë/a.mp4", "b.mp4")
    table = tmp_path / "list.csv"
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        table.write_bytes("path;label\rZoë/a.mp4;fake\rb.mp4;real\r".encode(encoding))
        index = index_corpus("csv", table)
        assert {v.video_id: v.label for v in index.videos} == {"Zoë/a": 1, "b": 0}


def test_folders_of_frames_are_videos_of_a_folder_corpus(tmp_path):
    touch(
        tmp_path,
        "real/frames/a/0001.png",
        "real/frames/a/0002.png",
        "real/ann/images/b/1.jpg",
        "fake/Swap/frames/a/0001.png",
        "real/still.png",
    )
    index = index_corpus("folder", tmp_path)
    assert {v.video_id: (v.label, v.manipulation, v.identities) for v in index.videos} == {
        "real/frames/a": (0, "original", ()),
        "real/ann/images/b": (0, "original", ("ann",)),
        "fake/Swap/frames/a": (1, "Swap", ()),
        "real/still": (0, "original", ()),
    }
    splits = {v.video_id: v.split for v in index.videos}
    assert splits["real/frames/a"] == splits["fake/Swap/frames/a"]
    assert index.left_out == ()


def test_csv_names_folders_of_frames_too(tmp_path):
    touch(tmp_path, "clips/a/0001.png")
    (video,) = index_corpus("csv", _table(tmp_path, "path,label\nclips/a,fake\n")).videos
    assert (video.path, video.video_id) == (tmp_path / "clips/a", "clips/a")


def test_names_that_are_the_same_once_they_are_safe_have_ids_of_their_own(tmp_path):
    touch(tmp_path, "real/a?.mp4", "real/a_.mp4", "real/b.mp4", "real/b.mkv", "real/b.mp4.mov")
    index = index_corpus("folder", tmp_path)
    assert len({video.video_id for video in index.videos}) == 5
    assert {"real/b.mkv"} < by_id(index).keys()


def test_id_is_no_folder_of_another_one_s_journal(tmp_path):
    touch(tmp_path, "real/a.mp4", "real/a.json/b.mp4")
    ids = sorted(by_id(index_corpus("folder", tmp_path)))
    assert ids[1] == "real/a.json/b"
    assert ids[0].startswith("real/a-")


def test_long_names_are_cut_and_stay_different(tmp_path):
    names = [f"real/{'ä' * 123}{last}.mp4" for last in "abcd"]
    ids = by_id(index_corpus("folder", touch(tmp_path, *names)))
    assert len(ids) == 4
    assert max(len(name.rpartition("/")[2].encode()) for name in ids) <= 241


def test_name_that_is_not_utf8_is_left_out_with_its_reason(tmp_path):
    touch(tmp_path, "real/a.mp4", os.fsdecode(b"real/\xff.mp4"), os.fsdecode(b"fake/\xfe/b.mp4"))
    index = index_corpus("folder", tmp_path)
    assert list(by_id(index)) == ["real/a"]
    assert set(reasons(index).values()) == {"its name is not UTF-8: rename it"}
    assert len(index.left_out) == 2


def test_person_with_the_sign_between_people_is_one_person(tmp_path):
    touch(tmp_path, "real/ann;bob/a.mp4")
    (video,) = index_corpus("folder", tmp_path).videos
    assert video.identities == ("ann_bob",)


def test_link_to_what_may_not_be_seen_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "real/a.mp4", "real/locked.mp4")

    class Entry:
        """As the system answers of a link into another user's folder; root may look everywhere."""

        def __init__(self, entry):
            self._entry, self.name, self.is_symlink = entry, entry.name, entry.is_symlink

        def is_dir(self):
            if self.name == "locked.mp4":
                raise PermissionError(errno.EACCES, "Permission denied", self._entry.path)
            return self._entry.is_dir()

        def is_file(self):
            return self._entry.is_file()

    @contextmanager
    def scandir(folder):
        with real_scandir(folder) as entries:
            yield map(Entry, entries)

    real_scandir = os.scandir
    monkeypatch.setattr("deepfake_ssat.corpora.files.os.scandir", scandir)
    with pytest.raises(
        CorpusError, match=r"real/locked\.mp4 cannot be read \(Permission denied\); give it leave"
    ):
        index_corpus("folder", tmp_path)
