"""``deepfake-ssat compare``: the folders of several methods' cross-manipulation become one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.errors import ConfigError


def run(folders: Sequence[Path], out: Path) -> int:
    """One row a folder, named by its configuration, or by the folder where two have the same; returns 0.

    Raises ConfigError where a folder has no finished fold, or folds that do not belong together.
    """
    from deepfake_ssat.commands.protocols.merging import read_folds, write_table

    found = {}
    for folder in dict.fromkeys(path.resolve() for path in folders):
        found[folder] = list(read_folds(folder).values())
        if not found[folder]:
            raise ConfigError(f"{folder}: holds no finished fold of cross-manipulation")
    methods = Counter(folds[0].method for folds in found.values())
    rows = {}
    for folder, folds in found.items():
        method = folds[0].method
        name = method if methods[method] == 1 else f"{method} ({folder.name})"
        if name in rows:
            raise ConfigError(f"{folder}: another row is called {name} too; rename one of the folders")
        rows[name] = folds
    write_table(rows, out, Console(highlight=False))
    return 0
