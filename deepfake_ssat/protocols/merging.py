"""Finished folds read back, and refused where they do not belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.folds import FOLDS_FOLDER
from deepfake_ssat.protocols.results import FOLD_FILE, FoldResult, read_fold

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
