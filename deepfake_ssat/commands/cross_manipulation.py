"""``deepfake-ssat cross-manipulation``: hold each manipulation out of training in turn, and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.outputs import make_folder

if TYPE_CHECKING:
    from deepfake_ssat.protocols.cross_manipulation import CrossManipulation
    from deepfake_ssat.protocols.results import FoldResult
    from deepfake_ssat.records import EvalReport


def run(
    config: Path,
    out: Path,
    changes: Sequence[str] = (),
    *,
    smoke: bool = False,
    hold_out: Sequence[str] = (),
    split: str = "test",
    merge_only: bool = False,
) -> int:
    """Trains and judges every fold that is not finished, then writes one table over all; returns 0.

    Run again after an interruption it goes on; with ``hold_out`` it runs these folds only, so that others can
    run elsewhere, and their folders be copied into ``out``; ``merge_only`` makes the table of what is there.
    Under torchrun or srun, which take one ``hold_out``, every process trains and the first one judges. Raises
    DeepfakeError for what the user can correct, such as a folder with folds of another experiment.
    """
    from deepfake_ssat.protocols.cross_manipulation import plan_cross_manipulation, table_of
    from deepfake_ssat.reporting import manipulation_report
    from deepfake_ssat.training.processes import started_processes

    console, told = Console(highlight=False), Console(highlight=False, soft_wrap=True)
    is_first = not started_processes().rank
    if not merge_only:
        protocol = plan_cross_manipulation(
            config, out, changes=changes, smoke=smoke, hold_out=hold_out, split=split
        )
        make_folder(out, [protocol.manifest.root])
        _run_folds(protocol, is_first, told)
    if is_first:
        table = table_of(config, out, changes=changes, smoke=smoke)
        show_and_write(console, manipulation_report, table, out)
    return 0


def _run_folds(protocol: CrossManipulation, is_first: bool, console: Console) -> None:
    from deepfake_ssat.training.processes import started_processes

    missing = protocol.missing()
    protocol.require_one_fold(started_processes())
    for fold in missing:
        if is_first:
            _say(console, f"{fold.held_out} held out, training on {', '.join(fold.trained_on)}")
        protocol.train(fold, console)
        if is_first:
            _say(console, _fold_line(protocol.judge(fold, _keep_report, console_progress(console))))


def _keep_report(report: EvalReport, folder: Path) -> None:
    from deepfake_ssat.reporting import evaluation_report
    from deepfake_ssat.reporting.documents import write_files

    write_files(folder, evaluation_report.files(report))


def _fold_line(fold: FoldResult) -> str:
    from deepfake_ssat.protocols.manipulation_table import METRICS
    from deepfake_ssat.reporting.tables import percent

    numbers = ", ".join(f"{title} {percent(fold.metrics[name])}" for name, title in METRICS.items())
    return f"{fold.held_out}: {fold.num_real} real and {fold.num_fake} fake videos; {numbers}"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False)
