"""The tables of a folder of face clips as text: rows read with their lines, and written byte for byte."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from deepfake_ssat.errors import ManifestError
from deepfake_ssat.records import FAKE, REAL, SPLITS, DroppedVideo, ManifestRow, Status
from deepfake_ssat.text import table_rows, table_text

Row = TypeVar("Row", ManifestRow, DroppedVideo)
Value = TypeVar("Value")

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
IDENTITY_SEPARATOR = ";"
MOST_FRAMES = 10_000_000
"""Of one clip file: nearly four days at 30 a second."""


@dataclass(frozen=True)
class VideoWarning:
    """Something that a reader of the results should know about one video, which was used all the same."""

    corpus: str
    video_id: str
    warning: str


def parse_rows(lines: Iterable[str], file: Path) -> list[ManifestRow]:
    """The clips of a manifest, as written here or by a spreadsheet; raises ManifestError for a bad value."""
    return _parse(lines, file, FIRST_ROW_COLUMNS, _RowParser())


def parse_dropped(lines: Iterable[str], file: Path) -> list[DroppedVideo]:
    """The ledger of videos that gave no clip; raises ManifestError for a bad value."""
    return _parse(lines, file, FIRST_DROPPED_COLUMNS, _dropped)


def rows_table(rows: Iterable[ManifestRow]) -> bytes:
    """As ``parse_rows`` reads it."""
    return _table(ROW_COLUMNS, map(_row_values, rows))


def dropped_table(dropped: Iterable[DroppedVideo]) -> bytes:
    """As ``parse_dropped`` reads it."""
    return _table(DROPPED_COLUMNS, map(_dropped_values, dropped))


def warnings_table(warnings: Iterable[VideoWarning]) -> bytes:
    """For people to read."""
    return _table(WARNING_COLUMNS, map(asdict, warnings))


def _parse(
    lines: Iterable[str], file: Path, columns: Sequence[str], convert: Callable[[Mapping[str, str]], Row]
) -> list[Row]:
    rows = []
    for row in table_rows(lines, file, required=columns):
        try:
            rows.append(convert(row.values))
        except ValueError as error:
            raise ManifestError(f"{file}, line {row.line}: {error}; preprocess again") from error
    return rows


class _Once(dict[str, Value], Generic[Value]):
    """What a text means, converted once: rows say the same again and again, and share one object."""

    def __init__(self, convert: Callable[[str], Value]) -> None:
        self._convert = convert

    def __missing__(self, text: str) -> Value:
        value = self[text] = self._convert(text)
        return value


class _RowParser:
    """Makes the rows of one manifest."""

    def __init__(self) -> None:
        self._same = _Once(str)
        self._number = _Once(_number)
        self._whole = _Once(_whole)
        self._count = _Once(_count)
        self._label = _Once(_label)
        self._split = _Once(_split)
        self._people = _Once(lambda text: tuple(filter(None, text.split(IDENTITY_SEPARATOR))))

    def __call__(self, values: Mapping[str, str]) -> ManifestRow:
        same, number, whole = self._same, self._number, self._whole
        x0, y0, x1, y1 = (number[values[name]] for name in BOX_COLUMNS)
        return ManifestRow(
            corpus=same[values["corpus"]],
            video_id=same[values["video_id"]],
            label=self._label[values["label"]],
            manipulation=same[values["manipulation"]],
            split=self._split[values["split"]],
            identities=self._people[values["identities"]],
            group=same[values["group"]],
            compression=same[values["compression"]],
            source=same[values["source"]],
            clip_file=values["clip_file"],
            track_id=whole[values["track_id"]],
            first_frame=whole[values["first_frame"]],
            frame_stride=self._count[values["frame_stride"]],
            num_frames=self._count[values["num_frames"]],
            start_seconds=number[values["start_seconds"]],
            end_seconds=number[values["end_seconds"]],
            box=(x0, y0, x1, y1),
            face_size=number[values["face_size"]],
            contract_hash=same[values["contract_hash"]],
            original=same[values.get("original", "")],
            is_aligned=values.get("is_aligned") == "1",
        )


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number")
    return number


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _count(text: str) -> int:
    count = _whole(text)
    if not 1 <= count <= MOST_FRAMES:
        raise ValueError(f"{count} frames cannot be")
    return count


def _label(text: str) -> int | None:
    if text not in ("", str(REAL), str(FAKE)):
        raise ValueError(f"label {text!r} is neither 0 (real) nor 1 (fake)")
    return int(text) if text else None


def _split(text: str) -> str:
    if text not in SPLITS:
        raise ValueError(f"split {text!r} is none of {', '.join(SPLITS)}")
    return text


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
    return table_text(columns, rows).encode()
