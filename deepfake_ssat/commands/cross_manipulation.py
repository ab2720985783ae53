"""``deepfake-ssat cross-manipulation``: hold each manipulation out of training in turn, and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import make_folder

if TYPE_CHECKING:
    from deepfake_ssat.config import Experiment
    from deepfake_ssat.protocols.results import FoldResult

TEST = "test"


def run(
    config: Path,
    out: Path,
    changes: Sequence[str] = (),
    hold_out: Sequence[str] = (),
    split: str = TEST,
    merge_only: bool = False,
) -> int:
    """Trains and judges every fold that is not finished, then writes one table over all; returns 0.

    Run again after an interruption it goes on; with ``hold_out`` it runs these folds only, so that others can
    run elsewhere, and their folders be copied into ``out``; ``merge_only`` makes the table of what is there.
    Under torchrun, which takes one ``hold_out``, every process trains and the first one judges. Raises
    DeepfakeError for what the user can correct, such as a folder with folds of another experiment.
    """
    console = Console(highlight=False)
    experiment = load_experiment(config, changes)
    if merge_only or _run_folds(config, experiment, changes, out, hold_out, split, console):
        _merge(config, experiment, out, console)
    return 0


def _run_folds(
    config: Path,
    experiment: Experiment,
    changes: Sequence[str],
    out: Path,
    hold_out: Sequence[str],
    split: str,
    console: Console,
) -> bool:
    """Runs what is missing; returns whether this process is the one that writes."""
    from deepfake_ssat.commands import train
    from deepfake_ssat.manifest import load_manifest
    from deepfake_ssat.protocols.folds import plan_folds, require_face_clips, settings_of
    from deepfake_ssat.protocols.judging import is_finished, judge_fold
    from deepfake_ssat.training.hardware import torchrun_processes

    data = require_face_clips(experiment, config)
    make_folder(out, [data.manifest])
    manifest = load_manifest(data.manifest)
    folds = plan_folds(manifest, data, split, hold_out, out)
    settings = settings_of(experiment, folds[0].pool)
    missing = [fold for fold in folds if not is_finished(fold, settings, manifest)]
    processes = torchrun_processes()
    # Processes that have trained together once cannot be relied on to find each other for another training.
    if processes.count > 1 and len(folds) > 1:
        raise ConfigError(
            f"{processes.count} processes train one fold at a time; give one --hold-out of "
            f"{', '.join(fold.held_out for fold in folds)}"
        )
    for fold in missing:
        if not processes.rank:
            _say(console, f"{fold.held_out} held out, training on {', '.join(fold.trained_on)}")
        train.run(config, [*changes, *fold.changes(data)], fold.training)
        if not processes.rank:
            result = judge_fold(
                fold, config.stem, settings, manifest, data, experiment.trainer.threads, console
            )
            _say(console, _fold_line(result))
    return not processes.rank


def _merge(config: Path, experiment: Experiment, out: Path, console: Console) -> None:
    from deepfake_ssat.protocols.folds import comparable_config
    from deepfake_ssat.protocols.manipulation_table import manipulation_table
    from deepfake_ssat.protocols.merging import read_folds, require_settings
    from deepfake_ssat.reporting import manipulation_report

    folds = read_folds(out)
    if not folds:
        raise ConfigError(f"{out}: holds no finished fold; run the command without --merge-only first")
    for file, fold in folds.items():
        require_settings(file, fold, comparable_config(experiment), f"{config}")
    table = manipulation_table({config.stem: list(folds.values())})
    show_and_write(console, manipulation_report, table, out)


def _fold_line(fold: FoldResult) -> str:
    from deepfake_ssat.protocols.manipulation_table import METRICS
    from deepfake_ssat.reporting.tables import percent

    numbers = ", ".join(f"{title} {percent(fold.metrics[name])}" for name, title in METRICS.items())
    return f"{fold.held_out}: {fold.num_real} real and {fold.num_fake} fake videos; {numbers}"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)
