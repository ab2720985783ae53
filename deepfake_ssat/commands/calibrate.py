"""``deepfake-ssat calibrate``: a checkpoint whose probabilities and verdicts mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.invocation import command_line

if TYPE_CHECKING:
    from deepfake_ssat.calibration.parts import ChosenPart
    from deepfake_ssat.calibration.report import CalibrationReport
    from deepfake_ssat.inference.detector import Detector

VALIDATION = Selection(splits=("val",))
REPORT_SUFFIX = "_calibration"


def run(
    checkpoint: Path | None,
    manifests: Sequence[Path],
    out: Path,
    selection: Selection = VALIDATION,
    method: str = "platt",
    false_alarm_rate: float = 0.05,
    miss_rate: float = 0.05,
    report_folder: Path | None = None,
    device: str = "auto",
    batch: int | None = None,
    threads: int | None = None,
) -> int:
    """Writes the same weights with another decision to ``out``, and what it rests on to a folder beside it.

    Run again after an interruption, it scores only what is missing. Returns 0; raises DeepfakeError for what
    the user can correct, such as videos of people that the model was trained on.
    """
    from deepfake_ssat.commands.evaluate import load, locked

    if checkpoint is not None and out.resolve() == checkpoint.resolve():
        raise ConfigError(f"{out} is the checkpoint itself; give another --out, so that both can be compared")
    console = Console(highlight=False)
    detector = load(checkpoint, device, threads, decoder=True)
    folder = report_folder or out.with_name(out.stem + REPORT_SUFFIX)
    with locked(folder):
        report = _calibrate(
            detector, manifests, selection, method, false_alarm_rate, miss_rate, folder, batch, console
        )
        _save(detector, report, out)
        _write(report, folder, console)
    console.print(f"written: {out}", markup=False, soft_wrap=True)
    return 0


def _calibrate(
    detector: Detector,
    manifests: Sequence[Path],
    selection: Selection,
    method: str,
    false_alarm_rate: float,
    miss_rate: float,
    folder: Path,
    batch: int | None,
    console: Console,
) -> CalibrationReport:
    from deepfake_ssat.calibration.fitting import fit_decision
    from deepfake_ssat.calibration.logits import score_parts, video_logits
    from deepfake_ssat.calibration.parts import choose_parts, doubts
    from deepfake_ssat.calibration.report import CalibrationReport
    from deepfake_ssat.commands.evaluate import BATCH_CLIPS
    from deepfake_ssat.evaluation.selection import choose_rows
    from deepfake_ssat.metrics import Scaling

    parts = choose_parts(detector, manifests, selection)
    size = batch or BATCH_CLIPS[detector.device.type]
    videos = score_parts(detector, parts, folder, size, console)
    logits = video_logits(videos)
    before = detector.checkpoint.decision
    after = fit_decision(detector.checkpoint, logits, method, false_alarm_rate, miss_rate, parts, selection)
    return CalibrationReport(
        provenance=_provenance(detector, parts, selection),
        before=before,
        after=after,
        videos=videos,
        probabilities_before=logits.probabilities(Scaling(before.temperature, before.bias)),
        probabilities_after=logits.probabilities(Scaling(after.temperature, after.bias)),
        dropped=[video for part in parts for video in choose_rows(part.manifest, selection, False).dropped],
        warnings=doubts(detector, parts),
    )


def _provenance(detector: Detector, parts: Sequence[ChosenPart], selection: Selection) -> dict[str, Any]:
    from deepfake_ssat.evaluation.scoring import scoring_rule, unit_of

    return {
        "command": command_line(),
        "checkpoint": {"path": str(detector.path), "sha256": detector.checkpoint.hash},
        "manifests": [{"path": str(part.manifest.root), "sha256": part.manifest.hash} for part in parts],
        "selection": selection.model_dump(mode="json"),
        "scoring": {
            "unit": unit_of(detector),
            "rule": scoring_rule(detector),
            "aggregation": detector.policy.in_words(),
            "device": str(detector.device),
            "precision": detector.precision,
        },
    }


def _save(detector: Detector, report: CalibrationReport, out: Path) -> None:
    """The checkpoint with the new decision, whole or not at all."""
    from deepfake_ssat.models.checkpoint import save_checkpoint

    calibrated = replace(detector.checkpoint, decision=report.after)
    try:
        report.provenance["written"] = {"path": str(out), "sha256": save_checkpoint(out, calibrated)}
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}); give another --out") from error


def _write(report: CalibrationReport, folder: Path, console: Console) -> None:
    from deepfake_ssat.protocols.merging import print_and_write
    from deepfake_ssat.reporting.calibration import files
    from deepfake_ssat.reporting.calibration.figure import reliability_figure
    from deepfake_ssat.reporting.protocols.text import markdown_document

    tables, lines = files.text_tables(report), files.notes(report)
    written = {
        "reliability.png": reliability_figure(report),
        "videos.csv": files.videos_csv(report).encode(),
        "table.md": markdown_document("Calibration", tables, lines).encode(),
        "report.json": files.report_json(report).encode(),
    }
    print_and_write(tables, lines, written, folder, console)
