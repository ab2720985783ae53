"""A trained fold is evaluated and recorded; a recorded one is recognised, or refused as another's."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.config import FaceClips
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.evaluate import evaluate
from deepfake_ssat.inference.device import use_threads
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.outputs import write_file
from deepfake_ssat.protocols.folds import Fold, settings_hash
from deepfake_ssat.protocols.merging import REMEDY, require_settings
from deepfake_ssat.protocols.official import why_unofficial
from deepfake_ssat.protocols.results import (
    FOLD_FILE,
    FoldResult,
    JudgedVideo,
    fold_json,
    read_fold,
)
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import REAL, EvalReport
from deepfake_ssat.reporting.documents import write_files
from deepfake_ssat.reporting.evaluation_report import files
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.version import __version__


def is_finished(fold: Fold, settings: dict[str, Any], manifest: Manifest) -> bool:
    """Whether the fold's record is there; raises ConfigError, naming what differs, where it is another's."""
    file = fold.root / FOLD_FILE
    if not file.is_file():
        return False
    result = read_fold(file)
    require_settings(file, result, settings, "this command")
    weights = RunFolder(fold.training).best
    found = {
        "manifest": (result.manifest_sha256, manifest.hash),
        "judged selection": (result.selection, fold.judged.model_dump(mode="json")),
    }
    # The weights need not be there: a fold's record is enough where it was copied from another machine.
    if weights.is_file():
        from deepfake_ssat.models.checkpoint import file_hash

        found["checkpoint"] = (result.checkpoint_sha256, file_hash(weights))
    for name, (before, now) in found.items():
        if before != now:
            raise ConfigError(f"{file}: was judged with {name} {before}, now it is {now}; {REMEDY}")
    return True


def judge_fold(
    fold: Fold,
    method: str,
    settings: dict[str, Any],
    manifest: Manifest,
    data: FaceClips,
    threads: int | None,
    console: Console,
) -> FoldResult:
    """Evaluates the best weights of a trained fold on what it held out, and writes its record."""
    weights = RunFolder(fold.training).best
    use_threads(threads)
    report = evaluate(
        weights,
        manifest.root,
        fold.evaluation,
        selection=fold.judged,
        progress=console_progress(console),
    )
    write_files(fold.evaluation, files(report))
    whole = report.groups[0]
    result = FoldResult(
        method=method,
        held_out=fold.held_out,
        trained_on=fold.trained_on,
        settings=settings,
        settings_sha256=settings_hash(settings),
        manifest_sha256=manifest.hash,
        checkpoint_sha256=report.provenance["checkpoint"]["sha256"],
        selection=fold.judged.model_dump(mode="json"),
        unofficial=why_unofficial(manifest, data, fold),
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
            "scoring": report.provenance["scoring"],
        },
    )
    write_file(fold.root / FOLD_FILE, fold_json(result).encode())
    return result


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
