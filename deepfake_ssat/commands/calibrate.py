"""``deepfake-ssat calibrate``: a checkpoint whose probabilities and verdicts mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from deepfake_ssat.commands.pictures import one_split, refuse_options_of_videos
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import VALIDATION_SPLIT, Selection
from deepfake_ssat.errors import ConfigError


def run(
    checkpoint: Path | None,
    manifests: Sequence[Path],
    out: Path,
    selection: Selection = VALIDATION_SPLIT,
    clip_rule: str | None = None,
    face_rule: str | None = None,
    method: str = "platt",
    false_alarm_rate: float = 0.05,
    miss_rate: float = 0.05,
    report_folder: Path | None = None,
    device: str = "auto",
    batch: int | None = None,
    threads: int | None = None,
) -> int:
    """Writes the same weights with another decision to ``out``, and what it rests on to a folder beside it.

    Run again after an interruption, it scores only what is missing. Of a checkpoint that was trained on
    pictures, ``manifests`` is the one place where those lie. Returns 0; raises DeepfakeError for what the
    user can correct, such as videos of people that the model was trained on.
    """
    from deepfake_ssat.calibration import calibrate as room
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.models.checkpoint import is_of_pictures
    from deepfake_ssat.reporting import calibration_report

    if checkpoint is not None and is_of_pictures(checkpoint):
        refuse_options_of_videos(checkpoint, selection, {"--clip-rule": clip_rule, "--face-rule": face_rule})
        return _on_pictures(
            checkpoint,
            manifests,
            out,
            selection.splits,
            report_folder,
            threads,
            method=method,
            false_alarm_rate=false_alarm_rate,
            miss_rate=miss_rate,
            device=device,
            batch=batch,
        )
    console = Console(highlight=False)
    use_threads(threads)
    folder = report_folder or room.report_folder(out)
    report = room.calibrate(
        checkpoint,
        manifests,
        out,
        selection=selection,
        clip_rule=clip_rule,
        face_rule=face_rule,
        method=method,
        false_alarm_rate=false_alarm_rate,
        miss_rate=miss_rate,
        report=folder,
        device=device,
        batch=batch,
        progress=console_progress(console),
    )
    if report.reused:
        console.print(f"{report.reused} {report.provenance['scoring']['unit']}s were scored before")
    show_and_write(console, calibration_report, report, folder)
    console.print(f"written: {out}", markup=False, soft_wrap=True)
    return 0


def _on_pictures(
    checkpoint: Path,
    places: Sequence[Path],
    out: Path,
    splits: Sequence[str],
    report_folder: Path | None,
    threads: int | None,
    **options: Any,
) -> int:
    from deepfake_ssat.calibration.calibrate import report_folder as beside
    from deepfake_ssat.calibration.pictures import calibrate_pictures
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.outputs import make_folder
    from deepfake_ssat.reporting import calibration_report

    if len(places) != 1:
        raise ConfigError(
            f"{checkpoint}: was trained on one set of pictures; give one place, not {len(places)}"
        )
    console = Console(highlight=False)
    use_threads(threads)
    split = one_split(splits)
    progress = console_progress(console)
    report = calibrate_pictures(checkpoint, places[0], out, split=split, progress=progress, **options)
    folder = report_folder or beside(out)
    make_folder(folder, places)
    show_and_write(console, calibration_report, report, folder)
    console.print(f"written: {out}", markup=False, soft_wrap=True)
    return 0
