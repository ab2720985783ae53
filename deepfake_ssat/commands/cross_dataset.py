"""``deepfake-ssat cross-dataset``: every checkpoint is judged on every data set, as one matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.outputs import make_folder

CELLS_FOLDER = "cells"
CHECKPOINTS_FOLDER = "checkpoints"


def run(
    checkpoints: Sequence[str],
    manifests: Sequence[str],
    out: Path,
    selection: Selection,
    device: str = "auto",
    threads: int | None = None,
) -> int:
    """Judges each pair as ``evaluate`` does, into ``out/cells/<checkpoint>/<data set>``; returns 0.

    Both are given as a path or as NAME=PATH. Run again after an interruption it scores what is missing.
    Raises DeepfakeError, before anything is scored, where a data set has none of the videos, or clips cut
    otherwise than a checkpoint's.
    """
    console = Console(highlight=False)
    weights = named_paths(checkpoints, "--checkpoint")
    folders = named_paths(manifests, "--manifest")
    _check(weights, folders, selection, device)
    make_folder(out, folders.values())

    from deepfake_ssat.evaluation.evaluate import evaluate
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.protocols.dataset_matrix import DatasetMatrix, MatrixCell
    from deepfake_ssat.reporting import dataset_report, evaluation_report
    from deepfake_ssat.reporting.documents import write_files

    use_threads(threads)
    cells = []
    for checkpoint, file in weights.items():
        for manifest, folder in folders.items():
            console.print(f"{checkpoint} on {manifest}", markup=False, soft_wrap=True)
            cell = out / CELLS_FOLDER / checkpoint / manifest
            report = evaluate(
                file, folder, cell, selection=selection, device=device, progress=console_progress(console)
            )
            write_files(cell, evaluation_report.files(report))
            cells.append(MatrixCell(checkpoint, manifest, report))
    matrix = DatasetMatrix(tuple(weights), tuple(folders), tuple(cells))
    show_and_write(console, dataset_report, matrix, out)
    return 0


def named_paths(values: Sequence[str], option: str) -> dict[str, Path]:
    """NAME=PATH, or a path named after itself: a file of ``train`` after its run, a folder after itself.

    Raises ConfigError for a name given twice, or one that cannot be a folder's.
    """
    found: dict[str, Path] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        path = Path(rest if equals else value)
        if not equals:
            name = _own_name(path)
        if not name or name in (".", "..") or "/" in name:
            raise ConfigError(f"{option} {value}: {name!r} is no name; write NAME=PATH with another one")
        if name in found:
            raise ConfigError(
                f"{option} {value}: {found[name]} is called {name} too; write NAME=PATH to tell them apart"
            )
        found[name] = path
    return found


def _own_name(path: Path) -> str:
    path = path.resolve()
    if path.parent.name == CHECKPOINTS_FOLDER:
        return path.parent.parent.name
    if path.suffix == ".csv":
        return path.parent.name
    return path.stem if path.suffix == ".safetensors" else path.name


def _check(
    weights: Mapping[str, Path], folders: Mapping[str, Path], selection: Selection, device: str
) -> None:
    from deepfake_ssat.inference.detector import load_detector
    from deepfake_ssat.manifest import load_manifest, select

    contracts = {}
    for name, folder in folders.items():
        manifest = load_manifest(folder)
        contracts[name] = manifest.contract
        try:
            select(manifest.rows, selection)
        except ManifestError as error:
            raise ManifestError(f"data set {name}: {error}") from error
    for checkpoint, file in weights.items():
        ours = load_detector(file, device).contract
        for name, contract in contracts.items():
            ours.require_same(contract, ours=f"checkpoint {checkpoint}", theirs=f"data set {name}")
