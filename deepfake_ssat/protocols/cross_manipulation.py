"""Cross-manipulation: one experiment, trained without each manipulation in turn and judged on that one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from deepfake_ssat.config import Experiment, FaceClips, experiment_name, load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.evaluate import evaluate
from deepfake_ssat.inference.device import use_threads
from deepfake_ssat.manifest import Manifest, load_manifest
from deepfake_ssat.models.checkpoint import file_hash
from deepfake_ssat.outputs import write_file
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.protocols.folds import (
    Fold,
    comparable_config,
    plan_folds,
    require_face_clips,
    settings_hash,
    settings_of,
)
from deepfake_ssat.protocols.manipulation_table import ManipulationTable, manipulation_table
from deepfake_ssat.protocols.merging import REMEDY, read_folds, require_settings
from deepfake_ssat.protocols.official import why_unofficial
from deepfake_ssat.protocols.results import FOLD_FILE, FoldResult, JudgedVideo, fold_json, read_fold
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import REAL, EvalReport
from deepfake_ssat.training.experiment import train_experiment
from deepfake_ssat.training.processes import Processes
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.version import __version__

KeepReport = Callable[[EvalReport, Path], object]
"""Writes an evaluation's report into a folder."""


@dataclass(frozen=True)
class CrossManipulation:
    """One experiment with its folds, on one manifest."""

    method: str
    """The configuration's name: a row of the table."""
    experiment: Experiment
    manifest: Manifest
    settings: dict[str, Any]
    """What all folds must share."""
    folds: tuple[Fold, ...]

    def missing(self) -> list[Fold]:
        """The folds without a record; raises ConfigError, naming what differs, where one is another's."""
        return [fold for fold in self.folds if not self._is_finished(fold)]

    def require_one_fold(self, processes: Processes) -> None:
        """Processes that have trained together cannot be relied on to find each other for another training.

        Raises ConfigError where several are to train several folds.
        """
        if processes.count > 1 and len(self.folds) > 1:
            raise ConfigError(
                f"{processes.count} processes train one fold at a time; give one --hold-out of "
                f"{', '.join(fold.held_out for fold in self.folds)}"
            )

    def train(self, fold: Fold, console: Console | None = None) -> None:
        """Trains a fold to the end, and tells a console of it; every process calls it."""
        train_experiment(fold.of(self.experiment), fold.training, console)

    def judge(self, fold: Fold, keep: KeepReport, progress: Progress = silent) -> FoldResult:
        """Evaluates the best weights of a trained fold on what it held out, and writes its record."""
        use_threads(self.experiment.trainer.threads)
        report = evaluate(
            RunFolder(fold.training).best,
            self.manifest.root,
            fold.evaluation,
            selection=fold.judged,
            progress=progress,
        )
        keep(report, fold.evaluation)
        result = self._result(fold, report)
        write_file(fold.root / FOLD_FILE, fold_json(result).encode())
        return result

    def _is_finished(self, fold: Fold) -> bool:
        file = fold.root / FOLD_FILE
        if not file.is_file():
            return False
        result = read_fold(file)
        require_settings(file, result, self.settings, "this command")
        weights = RunFolder(fold.training).best
        found = {
            "manifest": (result.manifest_sha256, self.manifest.hash),
            "judged selection": (result.selection, fold.judged.model_dump(mode="json")),
        }
        # The weights need not be there: a fold's record is enough where it was copied from another machine.
        if weights.is_file():
            found["checkpoint"] = (result.checkpoint_sha256, file_hash(weights))
        for name, (before, now) in found.items():
            if before != now:
                raise ConfigError(f"{file}: was judged with {name} {before}, now it is {now}; {REMEDY}")
        return True

    def _result(self, fold: Fold, report: EvalReport) -> FoldResult:
        whole = report.groups[0]
        data = self.experiment.data
        assert isinstance(data, FaceClips)
        return FoldResult(
            method=self.method,
            held_out=fold.held_out,
            trained_on=fold.trained_on,
            settings=self.settings,
            settings_sha256=settings_hash(self.settings),
            manifest_sha256=self.manifest.hash,
            checkpoint_sha256=report.provenance["checkpoint"]["sha256"],
            selection=fold.judged.model_dump(mode="json"),
            unofficial=why_unofficial(self.manifest, data, fold),
            threshold=report.threshold,
            threshold_source=report.threshold_source,
            num_real=whole.num_real,
            num_fake=whole.num_fake,
            dropped_real=sum(video.label == REAL for video in report.dropped),
            dropped_fake=sum(video.label not in (REAL, None) for video in report.dropped),
            metrics=whole.video,
            videos=_judged_videos(report),
            warnings=(*_doubts(fold), *report.warnings),
            facts={
                "command": typed_command(),
                "version": __version__,
                "weights": report.provenance["checkpoint"]["metrics"],
                "before": report.provenance["checkpoint"]["provenance"].get("before"),
                "scoring": report.provenance["scoring"],
            },
        )


def plan_cross_manipulation(
    config: Path,
    out: Path,
    *,
    changes: Sequence[str] = (),
    smoke: bool = False,
    hold_out: Sequence[str] = (),
    split: str = "test",
) -> CrossManipulation:
    """The folds of a configuration, or those that ``hold_out`` names, judged on a split.

    Raises DeepfakeError where data and settings give none.
    """
    experiment = load_experiment(config, changes, smoke=smoke)
    data = require_face_clips(experiment, config)
    manifest = load_manifest(data.manifest)
    folds = plan_folds(manifest, data, split, hold_out, out)
    return CrossManipulation(
        experiment_name(config, smoke),
        experiment,
        manifest,
        settings_of(experiment, folds[0].pool),
        tuple(folds),
    )


def table_of(
    config: Path, out: Path, *, changes: Sequence[str] = (), smoke: bool = False
) -> ManipulationTable:
    """The finished folds in a folder, also those that were copied there from other machines.

    Raises ConfigError where there is none, or one of another experiment.
    """
    experiment = load_experiment(config, changes, smoke=smoke)
    folds = read_folds(out)
    if not folds:
        raise ConfigError(f"{out}: holds no finished fold; run the command without --merge-only first")
    for file, fold in folds.items():
        require_settings(file, fold, comparable_config(experiment), f"{config}")
    return manipulation_table({experiment_name(config, smoke): list(folds.values())})


def _judged_videos(report: EvalReport) -> tuple[JudgedVideo, ...]:
    return tuple(
        JudgedVideo(video.name, video.label, video.probability)
        for video in report.videos
        if video.label is not None
    )


def _doubts(fold: Fold) -> list[str]:
    splits = {"train": "trained the model", "val": "chose its weights and its threshold"}
    return [
        f"judged on split {split}, whose originals also {purpose}: the figures are too good"
        for split, purpose in splits.items()
        if split in fold.judged.splits
    ]
