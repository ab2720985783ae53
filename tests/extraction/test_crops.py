"""Pictures that are faces already: listed where they lie, as they are."""

import csv

import cv2
import numpy as np
import pytest

from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora import CorpusOptions
from deepfake_ssat.errors import ContractError, CorpusError, ManifestError
from deepfake_ssat.extraction.preprocess import LEFT_OUT_FOLDER, preprocess
from deepfake_ssat.manifest import load_manifest
from tests.videos import coded_frames, write_video

SETTINGS = ExtractionSettings(margin=0.25, already_cut=True)


def picture(path, width=50, height=50, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return pixels[..., ::-1]


def take(root, out, corpus="folder", settings=SETTINGS, **options):
    report = preprocess(corpus, root, out, settings=settings, options=CorpusOptions(**options), workers=1)
    return report, load_manifest(out)


def table(root, *rows):
    """A list of crops; every file that it names is there."""
    columns = ("path", "label", "video", "original", "aligned", "certainty", "split")
    with (root / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    for number, row in enumerate(rows):
        if row[0].endswith("png"):
            picture(root / row[0], seed=number)
    return root / "list.csv"


@pytest.mark.slow
def test_crop_is_read_as_it_came_from_where_it_lies(tmp_path):
    pixels = picture(tmp_path / "faces/real/ann/a.png", 60, 58)
    picture(tmp_path / "faces/fake/Swap/ann/b.png", 40, 40)
    report, manifest = take(tmp_path / "faces", tmp_path / "out")
    fake, real = manifest.rows
    assert real.clip_file == "../faces/real/ann/a.png"
    assert (real.num_frames, real.track_id, real.identities) == (1, 0, ("ann",))
    np.testing.assert_array_equal(read_frames(manifest.root / real.clip_file, [0]), pixels[None])
    # 60 pixels are 1.25 faces wide, and the face is in the middle.
    assert real.box == (6.0, 5.8, 54.0, 52.2)
    assert (real.face_size, fake.face_size) == (48.0, 32.0)
    assert (report.account.videos, report.account.clip_files, report.account.warnings) == (2, 2, 0)
    assert not (tmp_path / "out/clips").exists()


@pytest.mark.slow
def test_moving_crops_and_manifest_together_keeps_them_readable(tmp_path):
    picture(tmp_path / "all/faces/real/a.png")
    take(tmp_path / "all/faces", tmp_path / "all/out")
    (tmp_path / "all").rename(tmp_path / "moved")
    manifest = load_manifest(tmp_path / "moved/out")
    assert read_frames(manifest.root / manifest.rows[0].clip_file, [0]).shape == (1, 50, 50, 3)


@pytest.mark.slow
def test_manifest_behind_a_link_finds_the_crops(tmp_path):
    picture(tmp_path / "faces/real/a.png")
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep/er")
    _, manifest = take(tmp_path / "faces", tmp_path / "link/out")
    assert (manifest.root / manifest.rows[0].clip_file).is_file()


@pytest.mark.slow
def test_contract_says_how_crops_frame_the_face_and_keeps_to_it(tmp_path):
    picture(tmp_path / "faces/real/a.png")
    _, manifest = take(tmp_path / "faces", tmp_path / "out")
    assert (manifest.contract.already_cut, manifest.contract.margin) == (True, 0.25)
    with pytest.raises(ContractError, match=r"margin is 0\.25 in .* and 0\.3 in the settings given"):
        take(tmp_path / "faces", tmp_path / "out", settings=ExtractionSettings(already_cut=True))


@pytest.mark.slow
def test_list_knows_originals_and_leaves_guesses_out(tmp_path):
    file = table(
        tmp_path,
        ("a.png", "real", "a", "", "", "certain", "train"),
        ("b.png", "fake", "b", "a", "1", "certain", "train"),
        ("c.png", "fake", "c", "a", "0", "probable", "train"),
        ("d.png", "fake", "d", "a", "0", "guess", "train"),
        ("e.mp4", "real", "e", "", "", "certain", ""),
        ("f.png", "real", "f", "", "", "certain", "val"),
    )
    report, manifest = take(file, tmp_path / "out", "csv")
    known = {row.video_id: (row.original, row.is_aligned, row.group, row.split) for row in manifest.rows}
    assert known == {
        "a": ("", False, "a", "train"),
        "b": ("a", True, "a", "train"),
        "c": ("a", False, "a", "train"),
        "f": ("", False, "f", "val"),
    }
    left_out = {item.name: item.reason for item in report.left_out}
    assert left_out == {
        "d.png": "its label is a guess (--keep-guesses takes it)",
        "e.mp4": "a video, where pictures of faces are taken",
    }
    assert (tmp_path / "out" / LEFT_OUT_FOLDER / "csv.csv").read_text().count("\n") == 3
    _, manifest = take(file, tmp_path / "all", "csv", keep_guesses=True)
    assert "d" in {row.video_id for row in manifest.rows}


def test_fake_of_an_original_in_another_split_is_refused(tmp_path):
    file = table(tmp_path, ("a.png", 0, "a", "", "", "", "val"), ("b.png", 1, "b", "a", "1", "", "train"))
    with pytest.raises(ManifestError, match=r"csv group a in train \(b\) and val \(a\)"):
        take(file, tmp_path / "out", "csv")


@pytest.mark.slow
def test_crops_of_one_video_are_numbered_by_their_names(tmp_path):
    rows = [(f"v/{name}.png", 1, "v", "", "", "", "train") for name in ("face_030", "face_002")]
    _, manifest = take(table(tmp_path, *rows), tmp_path / "out", "csv")
    assert [(row.clip_file[-7:], row.first_frame) for row in manifest.rows] == [
        ("002.png", 2),
        ("030.png", 30),
    ]


def test_crops_of_one_video_with_two_labels_are_refused(tmp_path):
    file = table(tmp_path, ("1.png", 1, "v", "", "", "", "train"), ("2.png", 0, "v", "", "", "", "train"))
    with pytest.raises(
        CorpusError, match=r"video v: .*1\.png and .*2\.png differ in label, split or another"
    ):
        take(file, tmp_path / "out", "csv")


def test_several_videos_of_one_name_are_for_crops_only(tmp_path):
    file = table(tmp_path, ("1.png", 1, "v", "", "", "", "train"), ("2.png", 1, "v", "", "", "", "train"))
    with pytest.raises(CorpusError, match="video csv/v is listed twice"):
        take(file, tmp_path / "out", "csv", settings=ExtractionSettings())


@pytest.mark.slow
def test_folders_of_a_known_layout_are_crops_of_their_videos(tmp_path):
    for place in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        name = "071_054" if "fakes" in place else "071"
        for number in (0, 8):
            picture(tmp_path / f"ff/{place}/c23/frames/{name}/{number:03d}.png")
        (tmp_path / f"ff/{place}/c23/videos").mkdir()
        write_video(tmp_path / f"ff/{place}/c23/videos/{name}.mp4", coded_frames(4))
    report, manifest = take(tmp_path / "ff", tmp_path / "out", "ffpp")
    found = [(row.video_id, row.first_frame, row.original, row.is_aligned) for row in manifest.rows]
    assert found == [
        ("Deepfakes/c23/071_054", 0, "youtube/c23/071", True),
        ("Deepfakes/c23/071_054", 8, "youtube/c23/071", True),
        ("youtube/c23/071", 0, "", False),
        ("youtube/c23/071", 8, "", False),
    ]
    assert {item.reason for item in report.left_out} == {"a video, where pictures of faces are taken"}
    assert (report.account.videos, report.account.tracks, report.account.clip_files) == (2, 2, 4)


@pytest.mark.slow
def test_unreadable_crops_are_told_and_dropped_with_their_video(tmp_path):
    for name in ("real/frames/a/1.png", "real/frames/a/2.png", "real/frames/b/1.png"):
        picture(tmp_path / "faces" / name, 80, 60)
    (tmp_path / "faces/real/frames/a/3.png").write_bytes(b"no picture")
    data = (tmp_path / "faces/real/frames/b/1.png").read_bytes()
    (tmp_path / "faces/real/frames/b/1.png").write_bytes(data[: len(data) // 2])
    report, manifest = take(tmp_path / "faces", tmp_path / "out")
    assert [row.first_frame for row in manifest.rows] == [1, 2]
    (dropped,) = manifest.dropped
    assert (dropped.video_id, dropped.reason.value) == ("real/frames/b", "unreadable")
    warnings = (tmp_path / "out/warnings.csv").read_text()
    assert "1 of 3 crops cannot be read: " in warnings
    assert "2 of 3 crops are not square, such as 80x60: they are shown stretched" in warnings
    assert (report.account.dropped, report.account.tracks) == ({"unreadable": 1}, 1)


def test_corpus_of_videos_has_no_crops(tmp_path):
    (tmp_path / "faces/real").mkdir(parents=True)
    write_video(tmp_path / "faces/real/a.mp4", coded_frames(4))
    with pytest.raises(CorpusError, match="has 1 videos and no picture; leave out --crops"):
        take(tmp_path / "faces", tmp_path / "out")


def test_damaged_crop_is_named_when_it_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ManifestError, match=r"a\.png is damaged \(no picture\)"):
        read_frames(tmp_path / "a.png", [0])
    with pytest.raises(ManifestError, match=r"b\.png does not exist"):
        read_frames(tmp_path / "b.png", [0])
