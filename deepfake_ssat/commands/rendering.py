"""What every command does with a report in the end: show its tables, and write its files into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import Console

if TYPE_CHECKING:
    from deepfake_ssat.reporting.documents import Files
    from deepfake_ssat.reporting.tables import Table

TABLE_WIDTH = 100
"""Columns of printed tables where there is no terminal to ask."""
Report = TypeVar("Report", contravariant=True)


class Rendering(Protocol[Report]):
    """A module of ``reporting``: how one kind of report is told."""

    def tables(self, report: Report, /) -> list[Table]:
        """What people see first."""
        ...

    def notes(self, report: Report, /) -> list[str]:
        """Lines below the tables."""
        ...

    def files(self, report: Report, /) -> Files:
        """Everything, for people and programs."""
        ...


def show_and_write(
    console: Console, rendering: Rendering[Report], report: Report, folder: Path, others: Sequence[str] = ()
) -> None:
    """Writes the files first; ``others`` are named beside them, since they were written there before."""
    from deepfake_ssat.reporting.documents import write_files
    from deepfake_ssat.reporting.tables import show_tables

    names = write_files(folder, rendering.files(report))
    wide = console if console.is_terminal else Console(width=TABLE_WIDTH, highlight=False)
    show_tables(wide, rendering.tables(report), rendering.notes(report))
    console.print(f"written to {folder}: {', '.join([*names, *others])}", markup=False, soft_wrap=True)
