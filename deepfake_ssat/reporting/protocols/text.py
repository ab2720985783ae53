"""Tables of estimates as Markdown and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_ssat.records import Estimate

ABSENT = "–"


@dataclass(frozen=True)
class TextTable:
    """A titled table of cells that are written already; the first column names the rows."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(estimate: Estimate | None) -> str:
    """Such as ``62.5 [30.6, 86.3]``."""
    if estimate is None or estimate.value is None:
        return ABSENT
    text = f"{100 * estimate.value:.1f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def markdown_document(heading: str, tables: Sequence[TextTable], notes: Sequence[str]) -> str:
    """A page of tables, and the notes as a list."""
    parts = [f"# {heading}", ""]
    for table in tables:
        rule = [":--"] + ["--:"] * (len(table.headings) - 1)
        parts += [f"## {table.title}", "", *map(_line, (table.headings, rule, *table.rows)), ""]
    return "\n".join([*parts, *(f"- {note}" for note in notes)]) + "\n"


def print_tables(tables: Sequence[TextTable], notes: Sequence[str], console: Console) -> None:
    """The same for people at a terminal; intervals fold onto a second line where space is short."""
    for table in tables:
        console.print(Text(table.title, style="bold"))
        shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for place, heading in enumerate(table.headings):
            shown.add_column(heading, justify="right" if place else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*map(Text, row))
        console.print(shown)
    for note in notes:
        console.print(Text(note))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
