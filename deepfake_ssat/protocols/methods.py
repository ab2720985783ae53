"""Folders of results become methods: which runs are seeds of one, and what each is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.comparison import Comparison, Run, compare_methods
from deepfake_ssat.protocols.manipulation_table import ManipulationTable, manipulation_table
from deepfake_ssat.protocols.merging import read_folds
from deepfake_ssat.protocols.picture_measures import PictureMeasures, check_same_set
from deepfake_ssat.protocols.results import FoldResult
from deepfake_ssat.protocols.runs import (
    REPORT_FILE,
    JudgedRun,
    PictureRun,
    VideoRun,
    read_evaluation,
    run_of_fold,
)
from deepfake_ssat.protocols.video_measures import VideoMeasures

Given = Mapping[Path, str]
"""Folders with the names that were given to them; empty where none was."""


@dataclass(frozen=True)
class ComparedFolders:
    """What folders of results say together."""

    table: ManipulationTable | None
    """Of folders of cross-manipulation, a row each."""
    comparison: Comparison | None
    """None where a single run of cross-manipulation leaves nothing to compare."""


def compare_folders(given: Given) -> ComparedFolders:
    """Folders of ``evaluate``, or of ``cross-manipulation``.

    Folders of one name are training runs of one method; without names, those whose settings differ in the
    seed alone. Raises ConfigError where a folder has no results, or results that cannot be compared.
    """
    evaluated = [(path / REPORT_FILE).is_file() for path in given]
    if not any(evaluated):
        return _compare_folds(given)
    if not all(evaluated):
        other = list(given)[evaluated.index(False)]
        raise ConfigError(f"{other}: holds no report.json of evaluate, as {next(iter(given))} does")
    if len(given) < 2:
        raise ConfigError(f"{next(iter(given))}: is one result; give at least two to compare")
    return ComparedFolders(None, _compare_evaluations(given))


def _compare_evaluations(given: Given) -> Comparison:
    """Of videos all, or of pictures all."""
    names = {path: path.name for path in given}
    of_videos: dict[Path, VideoRun] = {}
    of_pictures: dict[Path, PictureRun] = {}
    for path in given:
        run = read_evaluation(path)
        if isinstance(run, VideoRun):
            of_videos[path] = run
        else:
            of_pictures[path] = run
    if not of_pictures:
        return compare_methods({"": _grouped(of_videos, given, names)}, VideoMeasures())
    if of_videos:
        raise ConfigError(
            f"{next(iter(of_videos))}: is an evaluation of videos, {next(iter(of_pictures))} one of "
            "pictures; compare either with its like"
        )
    pictures = list(of_pictures.values())
    check_same_set(pictures)
    measures = PictureMeasures(pictures[0].classes)
    return compare_methods({"": _grouped(of_pictures, given, names)}, measures)


def _compare_folds(given: Given) -> ComparedFolders:
    """The table of cross-manipulation, and the comparison on each held-out manipulation."""
    found: dict[Path, list[FoldResult]] = {}
    for folder in given:
        found[folder] = list(read_folds(folder).values())
        if not found[folder]:
            raise ConfigError(
                f"{folder}: holds no finished fold of cross-manipulation, and no report.json of evaluate"
            )
    names = {folder: folds[0].method for folder, folds in found.items()}
    table = manipulation_table(_rows(found, given, names))
    first = {folder: run_of_fold(folds[0], str(folder)) for folder, folds in found.items()}
    folder_of = {run.source: folder for folder, run in first.items()}
    columns: dict[str, dict[str, list[VideoRun]]] = {}
    for name, runs in _grouped(first, given, names).items():
        for folder in (folder_of[run.source] for run in runs):
            for fold in found[folder]:
                its = columns.setdefault(fold.held_out, {}).setdefault(name, [])
                its.append(run_of_fold(fold, str(folder)))
    compared = {column: its for column, its in sorted(columns.items()) if sum(map(len, its.values())) > 1}
    return ComparedFolders(table, compare_methods(compared, VideoMeasures()) if compared else None)


def _rows(
    found: Mapping[Path, list[FoldResult]], given: Given, names: Mapping[Path, str]
) -> dict[str, list[FoldResult]]:
    """Named as given, by the configuration, or by the folder where two have the same."""
    wanted = {folder: given[folder] or names[folder] for folder in found}
    numbers = Counter(wanted.values())
    rows: dict[str, list[FoldResult]] = {}
    for folder, folds in found.items():
        name = wanted[folder] if numbers[wanted[folder]] == 1 else f"{wanted[folder]} ({folder.name})"
        if name in rows:
            raise ConfigError(f"{folder}: another row is called {name} too; rename one of the folders")
        rows[name] = folds
    return rows


def _grouped(runs: Mapping[Path, Run], given: Given, names: Mapping[Path, str]) -> dict[str, list[Run]]:
    """The runs of each method: those of one given name, or of the same settings under other seeds."""
    groups: list[list[Path]] = []
    for folder, run in runs.items():
        for group in groups:
            if _same_method([runs[other] for other in group], run, given[group[0]], given[folder]):
                group.append(folder)
                break
        else:
            groups.append([folder])
    wanted = [given[group[0]] or names[group[0]] for group in groups]
    numbers = Counter(wanted)
    methods: dict[str, list[Run]] = {}
    for name, group in zip(wanted, groups, strict=True):
        unique = name if numbers[name] == 1 else f"{name} ({group[0].name})"
        if unique in methods:
            raise ConfigError(
                f"{group[0]}: another method is called {unique} too; give names: NAME={group[0]}"
            )
        methods[unique] = [runs[folder] for folder in group]
    return methods


def _same_method(group: Sequence[JudgedRun], run: JudgedRun, its_name: str, name: str) -> bool:
    if its_name or name:
        return its_name == name
    return (
        run.settings is not None
        and run.seed is not None
        and run.settings == group[0].settings
        and run.seed not in {other.seed for other in group}
    )
