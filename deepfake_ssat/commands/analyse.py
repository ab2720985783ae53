"""``deepfake-ssat analyse``: checkpoints and data in, figures and tables of what the networks learnt out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.naming import named_paths
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.outputs import make_folder

if TYPE_CHECKING:
    from deepfake_ssat.config import Selection


def run(
    checkpoints: Sequence[str],
    data: Path,
    out: Path,
    *,
    selection: Selection,
    parts: Sequence[str] = (),
    num_samples: int = 128,
    show: Sequence[str] = (),
    hessian_batches: int = 8,
    hessian_steps: int = 32,
    device: str = "auto",
    batch: int | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> int:
    """Measures every checkpoint, given as a path or as NAME=PATH, on the same samples; returns 0.

    No ``parts`` are all. Raises DeepfakeError for what the user can correct.
    """
    from deepfake_ssat.analysis.analyse import PARTS, analyse
    from deepfake_ssat.analysis.hessian import HessianSettings
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.reporting import analysis_report

    console = Console(highlight=False)
    files = named_paths(checkpoints, "CHECKPOINT")
    make_folder(out, [data])
    use_threads(threads)
    report = analyse(
        files,
        data,
        parts=parts or PARTS,
        selection=selection,
        num_samples=num_samples,
        show=show,
        hessian=HessianSettings(hessian_batches, hessian_steps),
        device=device,
        batch=batch,
        seed=seed,
        progress=console_progress(console),
    )
    show_and_write(console, analysis_report, report, out)
    return 0
