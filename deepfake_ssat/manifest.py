"""The manifest of a folder of face clips: read, check, select, write.

A folder that ``preprocess`` wrote holds ``manifest.csv`` (one row per clip file), ``contract.json`` (the
extraction settings), ``dropped.csv`` (videos that gave no clip, and why), ``warnings.csv`` and ``clips/``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from deepfake_ssat.config import ExtractionSettings, Selection, parse_contract
from deepfake_ssat.errors import ContractError, ManifestError
from deepfake_ssat.outputs import write_file
from deepfake_ssat.records import (
    FAKE,
    REAL,
    SPLITS,
    DroppedVideo,
    ManifestRow,
    SourceVideo,
    Status,
)
from deepfake_ssat.text import decode, table_rows

Row = TypeVar("Row", ManifestRow, DroppedVideo)

MANIFEST_FILE = "manifest.csv"
CONTRACT_FILE = "contract.json"
DROPPED_FILE = "dropped.csv"
WARNINGS_FILE = "warnings.csv"

BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
ROW_COLUMNS = tuple(
    column
    for field in fields(ManifestRow)
    for column in (BOX_COLUMNS if field.name == "box" else (field.name,))
)
DROPPED_COLUMNS = tuple(field.name for field in fields(DroppedVideo))
FIRST_DROPPED_COLUMNS, FIRST_ROW_COLUMNS = DROPPED_COLUMNS[:-1], ROW_COLUMNS[:-2]
"""Those of earlier versions, which did not tell a dropped video's compression, nor a fake's original."""
WARNING_COLUMNS = ("corpus", "video_id", "warning")
SHARED_COLUMNS = ("corpus", "video_id", "manipulation", "split", "group", "compression", "source")
SHARED_COLUMNS += ("contract_hash",)
"""Held once in memory, however many rows have the value."""
IDENTITY_SEPARATOR = ";"
COMPRESSION_ALIASES = {"c0": "raw"}


@dataclass(frozen=True)
class VideoWarning:
    """Something that a reader of the results should know about one video, which was used all the same."""

    corpus: str
    video_id: str
    warning: str


@dataclass(frozen=True)
class Manifest:
    """What ``preprocess`` wrote into one folder."""

    root: Path
    """The folder; clip files are relative to it."""
    rows: tuple[ManifestRow, ...]
    contract: ExtractionSettings
    dropped: tuple[DroppedVideo, ...]
    hash: str
    """SHA-256 of manifest.csv and contract.json."""


def video_columns(video: SourceVideo) -> dict[str, Any]:
    """What each of a video's rows says of the video itself."""
    return {
        "corpus": video.corpus,
        "video_id": video.video_id,
        "label": video.label,
        "manipulation": video.manipulation,
        "split": video.split,
        "identities": video.identities,
        "group": video.group,
        "compression": video.compression,
        "original": video.original_id,
        "is_aligned": bool(video.original_id) and video.is_aligned,
    }


def dropped_video(video: SourceVideo, source: str, reason: Status, detail: str) -> DroppedVideo:
    """The ledger's line of a video that gave no clip."""
    return DroppedVideo(
        corpus=video.corpus,
        video_id=video.video_id,
        source=source,
        split=video.split,
        label=video.label,
        manipulation=video.manipulation,
        reason=reason,
        detail=detail,
        compression=video.compression,
    )


def load_manifest(path: Path) -> Manifest:
    """Reads and checks a folder, or its manifest.csv: columns, values, contract, clip files, leaks.

    Raises ManifestError (or ContractError) in one line.
    """
    file = path / MANIFEST_FILE if path.is_dir() else path
    root = file.parent
    data = _read_bytes(file)
    contract_data = _read_bytes(root / CONTRACT_FILE)
    contract = _contract(contract_data, root / CONTRACT_FILE)
    rows = tuple(_parse(data, file, FIRST_ROW_COLUMNS, _row))
    dropped_file = root / DROPPED_FILE
    dropped = _parse(_read_bytes(dropped_file), dropped_file, FIRST_DROPPED_COLUMNS, _dropped)
    _check_rows(rows, contract, file)
    check_leaks(rows)
    digest = hashlib.sha256(data)
    digest.update(contract_data)
    return Manifest(root, rows, contract, tuple(dropped), digest.hexdigest())


def write_manifest(
    folder: Path,
    rows: Sequence[ManifestRow],
    dropped: Sequence[DroppedVideo],
    contract: ExtractionSettings,
    warnings: Sequence[VideoWarning] = (),
) -> None:
    """Writes the four files, each atomically, the manifest last; the same input gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_contract(folder, contract)
    write_file(folder / DROPPED_FILE, _table(DROPPED_COLUMNS, map(_dropped_values, dropped)))
    write_file(folder / WARNINGS_FILE, _table(WARNING_COLUMNS, map(asdict, warnings)))
    write_file(folder / MANIFEST_FILE, _table(ROW_COLUMNS, map(_row_values, rows)))


def write_contract(folder: Path, contract: ExtractionSettings) -> None:
    """Writes contract.json atomically."""
    text = json.dumps(contract.model_dump(mode="json"), indent=2) + "\n"
    write_file(folder / CONTRACT_FILE, text.encode())


def read_contract(folder: Path) -> ExtractionSettings | None:
    """The settings that a folder's clips were made under; None for a folder without clips."""
    file = folder / CONTRACT_FILE
    return _contract(_read_bytes(file), file) if file.is_file() else None


def select(rows: Iterable[ManifestRow], selection: Selection) -> list[ManifestRow]:
    """The labelled rows that pass the filter, in order; manipulations filter the fakes only.

    Raises ManifestError, naming what exists, when nothing is left.
    """
    rows = list(rows)
    compressions = {COMPRESSION_ALIASES.get(name, name) for name in selection.compressions}
    selected = [
        row
        for row in rows
        if row.label is not None
        and (not selection.splits or row.split in selection.splits)
        and (not selection.corpora or row.corpus in selection.corpora)
        and (not compressions or row.compression in compressions)
        and (row.label == REAL or not selection.manipulations or row.manipulation in selection.manipulations)
    ]
    if selected:
        return selected
    wanted = "; ".join(
        f"{name} {', '.join(values)}" for name, values in selection.model_dump().items() if values
    )
    present = "; ".join(
        f"{name}s {', '.join(sorted({str(getattr(row, name)) for row in rows} - {''})) or '(none)'}"
        for name in ("split", "manipulation", "compression", "corpus")
    )
    raise ManifestError(f"no labelled clip with {wanted or 'any value'}; the manifest has {present}")


def check_leaks(videos: Iterable[SourceVideo | ManifestRow]) -> None:
    """Refuses a person (target or source) or a group of one corpus in two splits, naming the offenders."""
    places: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for video in videos:
        names = dict.fromkeys(video.identities, "identity")
        if video.group:
            names.setdefault(video.group, "group")
        for name, kind in names.items():
            places[video.corpus, kind, name].setdefault(video.split, video.video_id)
    offenders = {key: where for key, where in places.items() if len(where) > 1}
    if not offenders:
        return
    shown = [
        f"{corpus} {kind} {name} in "
        + " and ".join(f"{split} ({where[split]})" for split in SPLITS if split in where)
        for (corpus, kind, name), where in list(offenders.items())[:3]
    ]
    more = f"; and {len(offenders) - 3} more" if len(offenders) > 3 else ""
    raise ManifestError(
        f"{len(offenders)} identities or groups are in two splits: {'; '.join(shown)}{more}; "
        "correct the split lists, or leave one of the splits out"
    )


def people(videos: Iterable[SourceVideo | ManifestRow]) -> list[str]:
    """Everyone in the videos, and their groups, as ``corpus/name``, sorted: what a checkpoint has seen."""
    return sorted(
        {f"{video.corpus}/{name}" for video in videos for name in (*video.identities, video.group) if name}
    )


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ManifestError(
            f"{file}: cannot be read ({error.strerror}); make the folder with deepfake-ssat preprocess"
        ) from error


def _contract(data: bytes, file: Path) -> ExtractionSettings:
    try:
        values = json.loads(data)
    except ValueError as error:
        raise ContractError(f"{file}: is damaged ({error}); preprocess again into another folder") from error
    return parse_contract(values)


def _check_rows(rows: Sequence[ManifestRow], contract: ExtractionSettings, file: Path) -> None:
    """Every row under the folder's contract, no clip file twice, every clip file there."""
    seen: set[str] = set()
    absent = []
    contract_hash, folder = contract.hash(), str(file.parent)
    for row in rows:
        if row.contract_hash != contract_hash:
            raise ContractError(
                f"{file}: {row.clip_file} was made under contract {row.contract_hash}, {CONTRACT_FILE} is "
                f"{contract_hash}; preprocess again"
            )
        if row.clip_file in seen:
            raise ManifestError(f"{file}: {row.clip_file} is listed twice; preprocess again")
        seen.add(row.clip_file)
        if not os.path.isfile(os.path.join(folder, row.clip_file)):
            absent.append(row.clip_file)
    if absent:
        raise ManifestError(
            f"{file}: {len(absent)} of {len(rows)} clip files are missing, such as {absent[0]}; "
            "run the same preprocess command again"
        )


def _parse(
    data: bytes, file: Path, columns: Sequence[str], convert: Callable[[Mapping[str, str]], Row]
) -> list[Row]:
    """Rows of a table with these columns, as written here or by a spreadsheet; a bad value has its line."""
    rows = []
    for row in table_rows(decode(data, file), file, required=columns):
        # The clips of a video, and the videos of a corpus, say the same again and again.
        shared = {name: sys.intern(row.values[name]) for name in SHARED_COLUMNS if name in row.values}
        try:
            rows.append(convert(row.values | shared))
        except ValueError as error:
            raise ManifestError(f"{file}, line {row.line}: {error}; preprocess again") from error
    return rows


def _label(text: str) -> int | None:
    if text not in ("", str(REAL), str(FAKE)):
        raise ValueError(f"label {text!r} is neither 0 (real) nor 1 (fake)")
    return int(text) if text else None


def _row(values: Mapping[str, str]) -> ManifestRow:
    if values["split"] not in SPLITS:
        raise ValueError(f"split {values['split']!r} is none of {', '.join(SPLITS)}")
    x0, y0, x1, y1 = (float(values[name]) for name in BOX_COLUMNS)
    return ManifestRow(
        corpus=values["corpus"],
        video_id=values["video_id"],
        label=_label(values["label"]),
        manipulation=values["manipulation"],
        split=values["split"],
        identities=tuple(filter(None, values["identities"].split(IDENTITY_SEPARATOR))),
        group=values["group"],
        compression=values["compression"],
        source=values["source"],
        clip_file=values["clip_file"],
        track_id=int(values["track_id"]),
        first_frame=int(values["first_frame"]),
        frame_stride=int(values["frame_stride"]),
        num_frames=int(values["num_frames"]),
        start_seconds=float(values["start_seconds"]),
        end_seconds=float(values["end_seconds"]),
        box=(x0, y0, x1, y1),
        face_size=float(values["face_size"]),
        contract_hash=values["contract_hash"],
        original=values.get("original", ""),
        is_aligned=values.get("is_aligned") == "1",
    )


def _row_values(row: ManifestRow) -> dict[str, Any]:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    box = values.pop("box")
    values["identities"] = IDENTITY_SEPARATOR.join(row.identities)
    values["label"] = "" if row.label is None else row.label
    values["is_aligned"] = int(row.is_aligned)
    return values | dict(zip(BOX_COLUMNS, box, strict=True))


def _dropped(values: Mapping[str, str]) -> DroppedVideo:
    return DroppedVideo(
        corpus=values["corpus"],
        video_id=values["video_id"],
        source=values["source"],
        split=values["split"],
        label=_label(values["label"]),
        manipulation=values["manipulation"],
        reason=Status(values["reason"]),
        detail=values["detail"],
        compression=values.get("compression", _compression_of(values["video_id"])),
    )


def _compression_of(video_id: str) -> str:
    """What earlier versions told by the id only, such as ``Deepfakes/c23/519_515``."""
    return next((part for part in video_id.split("/")[:-1] if part in ("raw", "c23", "c40")), "")


def _dropped_values(video: DroppedVideo) -> dict[str, Any]:
    return asdict(video) | {
        "label": "" if video.label is None else video.label,
        "reason": video.reason.value,
    }


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
