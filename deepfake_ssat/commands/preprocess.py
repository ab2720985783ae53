"""``deepfake-ssat preprocess``: a corpus folder becomes face clips, a manifest and a ledger of drops."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora import CorpusOptions
from deepfake_ssat.extraction.preprocess import PreprocessReport, preprocess
from deepfake_ssat.reporting.extraction_report import notes
from deepfake_ssat.video.transfer import MAX_MEGABYTES

ALL_DONE, SOME_FAILED = 0, 1


def run(
    corpus: str,
    root: Path | str,
    out: Path,
    settings: ExtractionSettings,
    options: CorpusOptions,
    workers: int | None = None,
    limit: int | None = None,
    clips: int | None = None,
    device: str = "cpu",
    ray: str | None = None,
    max_download: float = MAX_MEGABYTES,
) -> int:
    """Preprocesses and shows the account.

    Returns 0 when every video is clips or has its reason in dropped.csv, 1 when a process died, met a bug or
    could not bring its video on some (the next run tries those again). Raises DeepfakeError for what the user
    can correct.
    """
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        report = preprocess(
            corpus,
            root,
            out,
            settings=settings,
            options=options,
            workers=workers,
            limit=limit,
            clips=clips,
            device=device,
            ray=ray,
            progress=console_progress(errors),
            max_download=max_download,
        )
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        raise
    _show(report, 1 if settings.already_cut else settings.frames, console, errors)
    return SOME_FAILED if report.account.failed else ALL_DONE


def _show(report: PreprocessReport, frames: int, console: Console, errors: Console) -> None:
    for failure in report.failures:
        name = "" if failure.reason.startswith(failure.path) else f"{failure.path}: "
        console.print(f"{name}{failure.reason}", markup=False)
        if failure.traceback:
            errors.print(failure.traceback, markup=False)
    for line in notes(report, frames):
        console.print(line, markup=False)
