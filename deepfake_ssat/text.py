"""Text files as people bring them: any usual encoding, line end and separator; one home for reading them."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from deepfake_ssat.errors import TextError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16, whose mark it begins with.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PIECE = 1 << 20
"""Bytes read at once, an even number."""
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class TableRow:
    """One line of a table under its header."""

    line: int
    """Its number in the file, from 1."""
    values: dict[str, str]
    """Column name to value; an absent value is empty."""


def read_text(path: Path) -> str:
    """The text of a file, lines ended by newlines; raises TextError in one line."""
    with _opened(path) as file:
        return decode(file.read(), path)


def decode(data: bytes, path: Path) -> str:
    """UTF-8, UTF-16 or UTF-32 with or without a byte-order mark, else Windows-1252; newlines only."""
    try:
        text = data.decode(_encoding([data]))
    except UnicodeDecodeError as error:
        raise _no_text(path) from error
    if "\0" in text:
        raise _no_text(path)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str | bytes) -> Any:
    """``json.loads``, for which what is nested too deep is a ValueError, as other damage is."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_own(path: Path, *keys: str) -> dict[str, Any]:
    """The mapping with these keys that this program wrote there, as JSON or, by the file's name, as YAML.

    Raises TextError in one line where the file is no longer that.
    """
    try:
        values = yaml.safe_load(read_text(path)) if path.suffix == ".yaml" else parse_json(read_text(path))
        missing = [key for key in keys if key not in values]
        if not isinstance(values, dict) or missing:
            raise ValueError(f"no {missing[0]} in it" if missing else "no mapping")
    except (ValueError, TypeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise TextError(
            f"{path}: is damaged ({reason}); put the file back as it was written, or begin in another folder"
        ) from error
    return values


def lines_of(file: BinaryIO, path: Path) -> Iterator[str]:
    """The lines of an open file with their ends, one by one: a million of them would fill memory.

    The file is closed at its end.
    """
    file.seek(0)
    encoding = _encoding(iter(partial(file.read, PIECE), b""))
    file.seek(0)
    try:
        with io.TextIOWrapper(file, encoding, newline="") as lines:
            for line in lines:
                if "\0" in line:
                    raise _no_text(path)
                yield line
    except UnicodeDecodeError as error:
        raise _no_text(path) from error


def read_table(path: Path, required: Sequence[str] = ()) -> list[TableRow]:
    """The rows of a CSV file, separated by commas, semicolons or tabs.

    Raises TextError where it, or one of the ``required`` columns, is absent.
    """
    with _opened(path) as file:
        return list(table_rows(lines_of(file, path), path, required))


def table_rows(lines: Iterable[str], path: Path, required: Sequence[str] = ()) -> Iterator[TableRow]:
    """As ``read_table``, of lines with their ends, one by one."""
    lines = iter(lines)
    header = next(lines, "")
    reader = csv.reader(chain([header], lines), delimiter=_separator(header))
    try:
        columns = [name.strip() for name in next(reader, [])]
        missing = [name for name in required if name not in columns]
        if missing:
            raise TextError(
                f"{path}: has no column {missing[0]!r}; its first line must name {', '.join(required)}"
            )
        for values in reader:
            if len(values) > len(columns):
                raise TextError(
                    f"{path}, line {reader.line_num}: has {len(values)} values for {len(columns)} columns; "
                    "put a value that holds the separator in quotes"
                )
            if values:
                padded = [*values, *[""] * (len(columns) - len(values))]
                yield TableRow(reader.line_num, dict(zip(columns, padded, strict=True)))
    except csv.Error as error:
        raise TextError(f"{path}, line {reader.line_num}: is no table ({error})") from error


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """As ``table_rows`` reads it: a line for each row under the columns' names.

    None and what a row lacks are empty; what it has beyond the columns is left out.
    """
    text = io.StringIO(newline="")
    # The csv module quotes the ends of lines that it writes itself, and names of files may hold either.
    writer = csv.DictWriter(
        _Newlines(text), columns, restval="", extrasaction="ignore", lineterminator="\r\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class _Newlines:
    """Takes lines that end in a carriage return and a newline, and keeps the newline."""

    text: io.StringIO

    def write(self, line: str) -> None:
        self.text.write(line[:-2] + "\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise TextError(f"{path}: cannot be read ({error.strerror}); give a file that may be read") from error
    with file:
        yield file


def _no_text(path: Path) -> TextError:
    return TextError(f"{path}: is no text in UTF-8, UTF-16 or Windows-1252; save it as UTF-8")


def _encoding(pieces: Iterable[bytes]) -> str:
    """Of a file that comes in pieces of an even number of bytes, but for the last."""
    decoder, is_utf8, zeros = codecs.getincrementaldecoder("utf-8")(), True, [0, 0]
    for number, piece in enumerate(pieces):
        for mark, encoding in BYTE_ORDER_MARKS if number == 0 else ():
            if piece.startswith(mark):
                return encoding
        if b"\0" in piece:
            zeros = [zeros[0] + piece[::2].count(0), zeros[1] + piece[1::2].count(0)]
        is_utf8 = is_utf8 and _decodes(decoder, piece)
    if any(zeros):
        # Letters of a list are mostly Latin: their upper byte is 0, and comes second in little-endian order.
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    return "utf-8" if is_utf8 and _decodes(decoder, b"", final=True) else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _separator(header: str) -> str:
    """The one that is in it most often."""
    return max(SEPARATORS, key=header.count)
