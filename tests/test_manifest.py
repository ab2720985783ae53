"""The manifest: written and read back, selected, and refused where it is damaged or leaks."""

import csv
import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.errors import ContractError, ManifestError, TextError
from deepfake_ssat.manifest import (
    VideoWarning,
    check_leaks,
    load_manifest,
    select,
    write_manifest,
)
from deepfake_ssat.manifest.table import parse_rows, rows_table
from deepfake_ssat.outputs import write_file
from deepfake_ssat.records import DroppedVideo, ManifestRow, Status

SETTINGS = ExtractionSettings(crop_size=32)


def _row(name="519_515", **changes) -> ManifestRow:
    row = ManifestRow(
        corpus="ffpp",
        video_id=f"Deepfakes/c23/{name}",
        label=1,
        manipulation="Deepfakes",
        split="train",
        identities=("519", "515"),
        group="519",
        compression="c23",
        source=f"manipulated_sequences/Deepfakes/c23/videos/{name}.mp4",
        clip_file=f"clips/ffpp/Deepfakes/c23/{name}/track000_00.mp4",
        track_id=0,
        first_frame=3,
        frame_stride=1,
        num_frames=48,
        start_seconds=0.12,
        end_seconds=2.0,
        box=(10.25, 20.0, 110.5, 140.75),
        face_size=120.75,
        contract_hash=SETTINGS.hash(),
    )
    return replace(row, **changes)


REAL = _row("519", label=0, manipulation="original", identities=("519",), clip_file="clips/real.mp4")
DROPPED = DroppedVideo(
    "ffpp", "youtube/c23/001", "a, b.mp4", "val", None, "original", Status.NO_FACE, 'no "face"', "c23"
)


def _video_rows(number):
    """Eight clips of one video, with boxes of their own."""
    for clip in range(8):
        left, size = 20 + number % 1700 + clip / 100, 60 + number % 150 + clip / 50
        yield _row(
            f"{number:06d}",
            identities=(f"{number:06d}", "515"),
            clip_file=f"clips/ffpp/Deepfakes/c23/{number:06d}/track000_{clip:02d}.mp4",
            first_frame=16 * clip,
            start_seconds=round(0.64 * clip, 4),
            end_seconds=round(0.64 * clip + 0.6, 4),
            box=(left, left / 2, round(left + size, 2), round(left / 2 + size, 2)),
            face_size=size,
        )


def _folder(root, rows, **options):
    for row in rows:
        (root / row.clip_file).parent.mkdir(parents=True, exist_ok=True)
        (root / row.clip_file).touch()
    write_manifest(root, rows, options.get("dropped", []), options.get("contract", SETTINGS))
    return root


def test_what_was_written_is_read_back(tmp_path):
    _folder(tmp_path, [_row(), REAL], dropped=[DROPPED])
    for path in (tmp_path, tmp_path / "manifest.csv"):
        manifest = load_manifest(path)
        assert manifest.root == tmp_path
        assert manifest.rows == (_row(), REAL)
        assert manifest.dropped == (DROPPED,)
        assert manifest.contract == SETTINGS


def test_hash_is_of_rows_and_contract(tmp_path):
    _folder(tmp_path, [_row()])
    data = (tmp_path / "manifest.csv").read_bytes() + (tmp_path / "contract.json").read_bytes()
    assert load_manifest(tmp_path).hash == hashlib.sha256(data).hexdigest()


def test_warnings_are_written_beside_it(tmp_path):
    write_manifest(tmp_path, [], [], SETTINGS, [VideoWarning("ffpp", "a", "3 frames missing, at 2 s")])
    assert (
        tmp_path / "warnings.csv"
    ).read_text() == 'corpus,video_id,warning\nffpp,a,"3 frames missing, at 2 s"\n'


def test_no_partial_file_is_left(tmp_path):
    _folder(tmp_path, [_row()])
    write_file(tmp_path / "contract.json", (tmp_path / "contract.json").read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clips",
        "contract.json",
        "dropped.csv",
        "manifest.csv",
        "warnings.csv",
    ]


def test_absent_manifest_names_the_remedy(tmp_path):
    with pytest.raises(ManifestError, match=r"manifest\.csv: cannot be read .* preprocess"):
        load_manifest(tmp_path)


def test_clip_file_that_is_gone_is_named(tmp_path):
    _folder(tmp_path, [_row(), REAL])
    (tmp_path / "clips/real.mp4").unlink()
    with pytest.raises(ManifestError, match=r"1 of 2 clip files are missing, such as clips/real\.mp4"):
        load_manifest(tmp_path)


def test_rows_of_another_contract_are_refused(tmp_path):
    _folder(tmp_path, [_row()], contract=ExtractionSettings(crop_size=64))
    with pytest.raises(ContractError, match="was made under contract"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("train", "dev", "line 2: split 'dev' is none of"),
        (",1,Deepfakes", ",7,Deepfakes", "line 2: label '7' is neither"),
        (",48,", ",many,", "line 2: 'many' is no whole number"),
        (",48,", ",-48,", "line 2: '-48' is no whole number"),
        (",48,", ",0,", "line 2: 0 frames cannot be"),
        (",48,", ",1000000000000,", "line 2: 1000000000000 frames cannot be"),
        (",0.12,", ",nan,", "line 2: 'nan' is no number"),
    ],
)
def test_damaged_row_is_named_with_its_line(tmp_path, old, new, message):
    _folder(tmp_path, [_row()])
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ManifestError, match=message):
        load_manifest(tmp_path)


@pytest.mark.parametrize("text", ["null", "[]", "1", "[" * 100_000])
def test_damaged_contract_is_one_line(tmp_path, text):
    _folder(tmp_path, [_row()])
    (tmp_path / "contract.json").write_text(text)
    with pytest.raises(ContractError):
        load_manifest(tmp_path)


def test_missing_column_is_named(tmp_path):
    _folder(tmp_path, [_row()])
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text().replace("track_id", "track"))
    with pytest.raises(TextError, match=r"manifest\.csv: has no column 'track_id'"):
        load_manifest(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_manifest_that_a_spreadsheet_saved_is_read(tmp_path, encoding, newline):
    row = _row(identities=("Zoë", "José"), group="Zoë")
    _folder(tmp_path, [row], dropped=[DROPPED])
    for name in ("manifest.csv", "dropped.csv"):
        lines = list(csv.reader((tmp_path / name).read_text().splitlines()))
        with (tmp_path / name).open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=";", lineterminator=newline).writerows(lines)
    manifest = load_manifest(tmp_path)
    assert manifest.rows == (row,)
    assert manifest.dropped == (DROPPED,)


def test_ledger_of_an_earlier_version_has_the_compression_in_its_ids(tmp_path):
    _folder(tmp_path, [_row()], dropped=[DROPPED, replace(DROPPED, video_id="real/c23", compression="")])
    file = tmp_path / "dropped.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    assert [video.compression for video in load_manifest(tmp_path).dropped] == ["c23", ""]


def test_row_cut_off_in_the_middle_is_refused(tmp_path):
    _folder(tmp_path, [_row()])
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text()[:-60])
    with pytest.raises(ManifestError, match="line 2"):
        load_manifest(tmp_path)


def test_clip_file_listed_twice_is_refused(tmp_path):
    _folder(tmp_path, [_row(), _row()])
    with pytest.raises(ManifestError, match="listed twice"):
        load_manifest(tmp_path)


def test_manifest_with_a_person_in_two_splits_is_refused(tmp_path):
    _folder(tmp_path, [_row(), replace(REAL, split="test")])
    with pytest.raises(ManifestError, match=r"identity 519 in train .* and test"):
        load_manifest(tmp_path)


def test_source_identity_leaks_as_the_target_does():
    other = _row("515_600", split="val", identities=("600", "515"), group="600")
    with pytest.raises(ManifestError, match=r"identity 515 in train \(Deepfakes/c23/519_515\) and val"):
        check_leaks([_row(), other])


def test_group_in_two_splits_is_refused_without_identities():
    rows = [_row(identities=(), group="a"), _row("x", identities=(), group="a", split="val")]
    with pytest.raises(ManifestError, match="group a in train"):
        check_leaks(rows)


def test_equal_names_in_two_corpora_are_no_leak():
    check_leaks([_row(), _row(corpus="celebdf", split="test")])


def test_many_offenders_are_counted():
    rows = [
        _row(str(n), identities=(str(n),), group="", split=split)
        for n in range(5)
        for split in ("train", "val")
    ]
    with pytest.raises(ManifestError, match=r"^5 identities or groups .*; and 2 more"):
        check_leaks(rows)


def test_manipulations_filter_fakes_and_keep_genuine():
    swap = _row("a", manipulation="FaceSwap")
    assert select([_row(), swap, REAL], Selection(manipulations=("FaceSwap",))) == [swap, REAL]


def test_empty_selection_takes_every_labelled_row():
    assert select([_row(), REAL, _row("u", label=None)], Selection()) == [_row(), REAL]


def test_select_by_split_compression_and_corpus():
    raw = _row("a", compression="raw", split="val", corpus="dfd")
    rows = [_row(), raw]
    assert select(rows, Selection(splits=("val",))) == [raw]
    assert select(rows, Selection(compressions=("c0",))) == [raw]
    assert select(rows, Selection(corpora=("dfd",))) == [raw]


def test_selection_that_leaves_nothing_says_what_there_is():
    with pytest.raises(
        ManifestError,
        match=r"splits test; the manifest has splits train; .* compressions c23; corpora .*--split val",
    ):
        select([_row(), REAL], Selection(splits=("test",)))


def test_original_of_a_fake_survives_and_older_manifests_tell_none(tmp_path):
    fake = _row(original="youtube/c23/519", is_aligned=True)
    manifest = load_manifest(_folder(tmp_path, [REAL, fake]))
    assert [(row.original, row.is_aligned) for row in manifest.rows] == [("", False), (fake.original, True)]
    table = tmp_path / "manifest.csv"
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(row[:-2] for row in rows)
    assert [row.original for row in load_manifest(tmp_path).rows] == ["", ""]


@pytest.mark.slow
def test_a_million_rows_fit_into_half_a_gigabyte():
    rows = [row for number in range(1000) for row in _video_rows(number)]
    lines = rows_table(rows).decode().splitlines(keepends=True)
    tracemalloc.start()
    try:
        read = parse_rows(lines, Path("manifest.csv"))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == rows
    assert held / len(rows) < 500
