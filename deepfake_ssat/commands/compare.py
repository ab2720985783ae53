"""``deepfake-ssat compare``: several methods' results on the same videos: which differences are real?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import make_folder

if TYPE_CHECKING:
    from deepfake_ssat.protocols.comparison import Columns
    from deepfake_ssat.protocols.results import FoldResult
    from deepfake_ssat.protocols.runs import JudgedRun


def run(folders: Sequence[str | Path], out: Path) -> int:
    """Folders of ``evaluate``, or of ``cross-manipulation``, each ``[NAME=]DIR``; returns 0.

    Folders of one name are training runs of one method; without names, those whose settings differ in the
    seed alone. Raises ConfigError where a folder has no results, or results that cannot be compared.
    """
    from deepfake_ssat.protocols.runs import REPORT_FILE, read_evaluation

    given = _named(folders)
    make_folder(out, given)
    console = Console(highlight=False)
    evaluated = [(path / REPORT_FILE).is_file() for path in given]
    if not any(evaluated):
        return _compare_folds(given, out, console)
    if not all(evaluated):
        other = list(given)[evaluated.index(False)]
        raise ConfigError(f"{other}: holds no report.json of evaluate, as {next(iter(given))} does")
    if len(given) < 2:
        raise ConfigError(f"{next(iter(given))}: is one result; give at least two to compare")
    runs = {path: read_evaluation(path) for path in given}
    methods = _grouped(runs, given, {path: path.name for path in given})
    _write({"": methods}, out, console)
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


def _compare_folds(given: Mapping[Path, str], out: Path, console: Console) -> int:
    """The table of cross-manipulation, one row a folder, and the comparison on each held-out method."""
    from deepfake_ssat.protocols.manipulation_table import manipulation_table
    from deepfake_ssat.protocols.merging import read_folds
    from deepfake_ssat.protocols.runs import run_of_fold
    from deepfake_ssat.reporting import manipulation_report

    found: dict[Path, list[FoldResult]] = {}
    for folder in given:
        found[folder] = list(read_folds(folder).values())
        if not found[folder]:
            raise ConfigError(
                f"{folder}: holds no finished fold of cross-manipulation, and no report.json of evaluate"
            )
    configs = {folder: folds[0].method for folder, folds in found.items()}
    show_and_write(console, manipulation_report, manipulation_table(_rows(found, given, configs)), out)
    first = {folder: run_of_fold(folds[0], str(folder)) for folder, folds in found.items()}
    methods = _grouped(first, given, configs)
    folder_of = {run.source: folder for folder, run in first.items()}
    columns: dict[str, dict[str, list[JudgedRun]]] = {}
    for name, runs in methods.items():
        for run_ in runs:
            folder = folder_of[run_.source]
            for fold in found[folder]:
                its = columns.setdefault(fold.held_out, {}).setdefault(name, [])
                its.append(run_of_fold(fold, str(folder)))
    compared = {column: its for column, its in sorted(columns.items()) if len(its) > 1 or _several(its)}
    if compared:
        _write(compared, out, console)
    return 0


def _several(methods: Mapping[str, Sequence[JudgedRun]]) -> bool:
    return any(len(runs) > 1 for runs in methods.values())


def _rows(
    found: Mapping[Path, list[FoldResult]], given: Mapping[Path, str], configs: Mapping[Path, str]
) -> dict[str, list[FoldResult]]:
    """Named as given, by the configuration, or by the folder where two have the same."""
    names = {folder: given[folder] or configs[folder] for folder in found}
    numbers = Counter(names.values())
    rows: dict[str, list[FoldResult]] = {}
    for folder, folds in found.items():
        name = names[folder] if numbers[names[folder]] == 1 else f"{names[folder]} ({folder.name})"
        if name in rows:
            raise ConfigError(f"{folder}: another row is called {name} too; rename one of the folders")
        rows[name] = folds
    return rows


def _grouped(
    runs: Mapping[Path, JudgedRun], given: Mapping[Path, str], names: Mapping[Path, str]
) -> dict[str, list[JudgedRun]]:
    """The runs of each method: those of one given name, or of the same settings under other seeds."""
    groups: list[list[Path]] = []
    for folder, run_ in runs.items():
        for group in groups:
            if _same_method([runs[other] for other in group], run_, given[group[0]], given[folder]):
                group.append(folder)
                break
        else:
            groups.append([folder])
    wanted = [given[group[0]] or names[group[0]] for group in groups]
    numbers = Counter(wanted)
    methods: dict[str, list[JudgedRun]] = {}
    for name, group in zip(wanted, groups, strict=True):
        unique = name if numbers[name] == 1 else f"{name} ({group[0].name})"
        if unique in methods:
            raise ConfigError(
                f"{group[0]}: another method is called {unique} too; give names: NAME={group[0]}"
            )
        methods[unique] = [runs[folder] for folder in group]
    return methods


def _same_method(group: Sequence[JudgedRun], run_: JudgedRun, its_name: str, name: str) -> bool:
    if its_name or name:
        return its_name == name
    return (
        run_.settings is not None
        and run_.seed is not None
        and run_.settings == group[0].settings
        and run_.seed not in {other.seed for other in group}
    )


def _write(columns: Columns, out: Path, console: Console) -> None:
    from deepfake_ssat.protocols.comparison import compare_methods
    from deepfake_ssat.reporting import comparison_report

    show_and_write(console, comparison_report, compare_methods(columns), out)
