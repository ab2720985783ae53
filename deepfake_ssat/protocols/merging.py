"""Finished folds read back, refused where they do not belong together, and written as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import write_file
from deepfake_ssat.protocols.folds import FOLDS_FOLDER
from deepfake_ssat.protocols.results import FOLD_FILE, FoldResult, read_fold
from deepfake_ssat.reporting.protocols.text import TextTable, print_tables

TABLE_WIDTH = 100
"""Columns of the printed tables where there is no terminal to ask."""
REMEDY = "give another --out, or remove that fold's folder to run it again"


def read_folds(out: Path) -> dict[Path, FoldResult]:
    """The finished folds below a folder, by file; raises ConfigError where they do not belong together."""
    files = sorted(out.glob(f"{FOLDS_FOLDER}/*/{FOLD_FILE}"))
    folds = {file: read_fold(file) for file in files}
    for file, fold in folds.items():
        require_same(file, fold, folds[files[0]], f"that of {files[0].parent}")
    return folds


def require_same(file: Path, fold: FoldResult, other: FoldResult, theirs: str) -> None:
    """Raises ConfigError, naming what differs, unless both are folds of one experiment on the same data."""
    require_settings(file, fold, other.settings, theirs)
    for name, value, wanted in (
        ("manifest", fold.manifest_sha256[:16], other.manifest_sha256[:16]),
        ("judged split", fold.selection["splits"], other.selection["splits"]),
    ):
        if value != wanted:
            raise ConfigError(f"{file}: its {name} is {value}, {theirs} {wanted}; {REMEDY}")


def require_settings(file: Path, fold: FoldResult, settings: dict[str, Any], theirs: str) -> None:
    """The same for the settings alone, as far as ``settings`` has them."""
    from deepfake_ssat.training.run_folder import leaves

    here, there = dict(leaves(fold.settings)), dict(leaves(settings))
    for key, value in there.items():
        if here.get(key) != value:
            raise ConfigError(f"{file}: was run with {key} {here.get(key)}, {theirs} has {value}; {REMEDY}")


def write_table(methods: Mapping[str, Sequence[FoldResult]], out: Path, console: Console) -> None:
    """Prints the table of all methods and writes it as Markdown, CSV, JSON and a picture."""
    from deepfake_ssat.protocols.manipulation_table import manipulation_table
    from deepfake_ssat.reporting.protocols import manipulation_files as files
    from deepfake_ssat.reporting.protocols.manipulation_figure import picture

    table = manipulation_table(methods)
    written = {
        "table.png": picture(table),
        "table.csv": files.table_csv(table).encode(),
        "table.md": files.markdown(table).encode(),
        "table.json": files.table_json(table).encode(),
    }
    print_and_write(files.text_tables(table), files.notes(table), written, out, console)


def print_and_write(
    tables: Sequence[TextTable],
    notes: Sequence[str],
    files: Mapping[str, bytes],
    out: Path,
    console: Console,
) -> None:
    """Shows tables with their notes, and puts each file whole into a folder."""
    for name, data in files.items():
        write_file(out / name, data)
    wide = console if console.is_terminal else Console(width=TABLE_WIDTH, highlight=False)
    print_tables(tables, notes, wide)
    console.print(f"written to {out}: {', '.join(files)}", markup=False, soft_wrap=True)
