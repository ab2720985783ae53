"""Text files as people bring them: any usual encoding, line end and separator; one home for reading them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import TextError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16, whose mark it begins with.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
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
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TextError(f"{path}: cannot be read ({error.strerror}); give a file that may be read") from error
    return decode(data, path)


def decode(data: bytes, path: Path) -> str:
    """UTF-8, UTF-16 or UTF-32 with or without a byte-order mark, else Windows-1252; newlines only."""
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise TextError(f"{path}: is no text in UTF-8, UTF-16 or Windows-1252; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_table(path: Path, required: Sequence[str] = ()) -> list[TableRow]:
    """The rows of a CSV file; raises TextError where it, or one of the ``required`` columns, is absent."""
    return parse_table(read_text(path), path, required)


def parse_table(text: str, path: Path, required: Sequence[str] = ()) -> list[TableRow]:
    """As ``read_table``, of text that was read already: separated by commas, semicolons or tabs."""
    return list(table_rows(text, path, required))


def table_rows(text: str, path: Path, required: Sequence[str] = ()) -> Iterator[TableRow]:
    """As ``parse_table``, one by one: a million rows would fill gigabytes."""
    reader = csv.reader(_lines(text), delimiter=_separator(text))
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


def _lines(text: str) -> Iterator[str]:
    """With their ends, one by one: a StringIO takes four bytes for each letter of the whole text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _encoding(data: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    if b"\0" in data:
        # Letters of a list are mostly Latin: their upper byte is 0, and comes second in little-endian order.
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(text: str) -> str:
    """The one that is in the header most often."""
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=header.count)
