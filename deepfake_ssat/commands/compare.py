"""``deepfake-ssat compare``: several methods' results on the same videos: which differences are real?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.outputs import make_folder


def run(folders: Sequence[str | Path], out: Path) -> int:
    """Folders of ``evaluate``, or of ``cross-manipulation``, each ``[NAME=]DIR``; returns 0.

    Raises ConfigError where a folder has no results, or results that cannot be compared.
    """
    from deepfake_ssat.protocols.methods import compare_folders
    from deepfake_ssat.reporting import comparison_report, manipulation_report

    given = _named(folders)
    make_folder(out, given)
    console = Console(highlight=False)
    found = compare_folders(given)
    if found.table is not None:
        show_and_write(console, manipulation_report, found.table, out)
    if found.comparison is not None:
        show_and_write(console, comparison_report, found.comparison, out)
    return 0


def _named(folders: Sequence[str | Path]) -> dict[Path, str]:
    """Each folder once, with the name that was given to it, or none."""
    found = {}
    for text in map(str, folders):
        name, is_named, path = text.partition("=")
        # A folder whose own name has a sign of equality is no name and folder.
        if not is_named or Path(text).exists():
            name, path = "", text
        found[Path(path).resolve()] = name
    return found
