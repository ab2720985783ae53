"""Tables for people, on the terminal and as Markdown, and tables for programs as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from deepfake_ssat.records import Estimate
from deepfake_ssat.text import table_text

ABSENT = "–"
NARROWEST_NAME = 14
"""Columns of the terminal."""
GAP = 2


@dataclass(frozen=True)
class Table:
    """A table of cells that are written already."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | Text]]
    names: int = 1
    """So many columns at the left are names; the others are figures, to the right."""


def show_tables(console: Console, tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Prints tables, and notes as lines below them; where space is short, names fold first."""
    for table in tables:
        if table.title:
            console.print(Text(table.title, style="bold"))
        shown = TerminalTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        whole = _figures_fit(table, console.width)
        for place, heading in enumerate(table.headings):
            if place < table.names:
                shown.add_column(heading, overflow="fold")
            else:
                shown.add_column(heading, justify="right", overflow="fold", no_wrap=whole)
        for row in table.rows:
            shown.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        console.print(shown)
    for note in notes:
        console.print(Text(note))


def markdown(heading: str, tables: Sequence[Table], notes: Sequence[str]) -> bytes:
    """A page of tables, and the notes as a list."""
    lines = [f"# {heading}", ""]
    for table in tables:
        rule = [":--"] * table.names + ["--:"] * (len(table.headings) - table.names)
        lines += [f"## {table.title}", "", *map(_markdown_line, (table.headings, rule, *table.rows)), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes), ""]).encode()


def folded(path: str, width: int) -> str:
    """A path in lines of at most ``width``, broken behind ``/ _ - .`` and spaces; a longer word is cut."""
    lines = [""]
    for word in re.findall(r"[^/_\-. ]*[/_\-. ]?", path):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        while len(word) > width:
            lines[-1], word = word[:width], word[width:]
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def csv_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A line for each row under the columns' names; None and what a row lacks are empty fields.

    A file name that is not UTF-8 keeps its bytes. What a row has beyond the columns is left out.
    """
    return table_text(columns, rows).encode("utf-8", "surrogateescape")


def percent(estimate: Estimate | None, *, interval: bool = True) -> str:
    """Such as ``62.5 [30.6, 86.3]``."""
    return estimate_text(estimate, scale=100, digits=1, interval=interval)


def estimate_text(estimate: Estimate | None, *, scale: float, digits: int, interval: bool = True) -> str:
    """A value with its interval where it has one, times ``scale``."""
    if estimate is None or estimate.value is None:
        return ABSENT
    text = f"{scale * estimate.value:.{digits}f}"
    if not interval or estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]"


def absences(estimates: Iterable[tuple[str, str, Estimate]]) -> list[str]:
    """Why values or intervals are missing: a line for each reason, with its metrics and whom they concern.

    ``estimates`` are (whose, metric, estimate); nobody is named where it concerns all of them.
    """
    everybody: set[str] = set()
    concerned: dict[tuple[str, str, bool], list[str]] = {}
    for whose, metric, estimate in estimates:
        everybody.add(whose)
        if estimate.note:
            concerned.setdefault((estimate.note, metric, estimate.value is None), []).append(whose)
    metrics: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for (note, metric, absent), names in concerned.items():
        metrics.setdefault((note, absent, tuple(names)), []).append(metric)
    return [
        f"{ABSENT if absent else 'interval of'} {', '.join(which)}"
        f"{'' if len(names) == len(everybody) else f' ({_some(names)})'}: {note}"
        for (note, absent, names), which in metrics.items()
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _figures_fit(table: Table, width: int) -> bool:
    """Whether the columns of figures leave room for the names."""
    columns = zip(table.headings, *table.rows, strict=True)
    widths = [max(cell_len(str(cell)) for cell in column) + GAP for column in columns]
    return sum(widths[table.names :]) + table.names * NARROWEST_NAME <= width


def _markdown_line(cells: Sequence[str | Text]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
