"""``deepfake-ssat cross-dataset``: every checkpoint is judged on every data set, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.commands.naming import named_paths
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import Selection
from deepfake_ssat.outputs import make_folder

CELLS_FOLDER = "cells"


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
    from deepfake_ssat.evaluation.evaluate import evaluate
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.protocols.cross_dataset import require_judgeable
    from deepfake_ssat.protocols.dataset_matrix import DatasetMatrix, MatrixCell
    from deepfake_ssat.reporting import dataset_report, evaluation_report
    from deepfake_ssat.reporting.documents import write_files

    console = Console(highlight=False)
    weights = named_paths(checkpoints, "--checkpoint")
    folders = named_paths(manifests, "--manifest")
    require_judgeable(weights, folders, selection, device)
    make_folder(out, folders.values())
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
