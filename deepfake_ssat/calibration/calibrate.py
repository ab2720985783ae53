"""A checkpoint whose probabilities and verdicts mean what they say: all of ``calibrate`` but its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from deepfake_ssat.calibration.crossfit import counted, cross_fitted
from deepfake_ssat.calibration.fitting import fit_decision
from deepfake_ssat.calibration.logits import open_parts, video_logits
from deepfake_ssat.calibration.parts import choose_parts, doubts
from deepfake_ssat.calibration.report import CalibrationReport
from deepfake_ssat.config import VALIDATION_SPLIT, Selection
from deepfake_ssat.evaluation.evaluation import Evaluation, locked
from deepfake_ssat.evaluation.selection import choose_rows
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.metrics import Scaling
from deepfake_ssat.models.checkpoint import save_checkpoint
from deepfake_ssat.models.decision import Calibration
from deepfake_ssat.outputs import check_file
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.provenance import typed_command

REPORT_SUFFIX = "_calibration"


def calibrate(
    checkpoint: Path | str | None,
    manifests: Sequence[Path | str],
    out: Path | str,
    *,
    selection: Selection = VALIDATION_SPLIT,
    clip_rule: str | None = None,
    face_rule: str | None = None,
    method: str = "platt",
    false_alarm_rate: float = 0.05,
    miss_rate: float = 0.05,
    report: Path | str | None = None,
    device: str = "auto",
    batch: int | None = None,
    progress: Progress = silent,
) -> CalibrationReport:
    """Writes the same weights with another decision to ``out``; the report says what it rests on.

    ``clip_rule`` (mean, median or max over a face's clips) and ``face_rule`` (large, max or mean over a
    video's faces) are the checkpoint's unless given, and the new decision's. ``method`` is platt or
    temperature. At most ``false_alarm_rate`` of the genuine videos are called fake, at most ``miss_rate`` of
    the manipulated ones real. Clip scores are kept in the folder ``report``, by default beside ``out``:
    called again after an interruption, it scores only what is missing. Raises DeepfakeError for what the user
    can correct, such as videos of people that the model was trained on.
    """
    out = Path(out)
    check_file(out, [] if checkpoint is None else [Path(checkpoint)])
    detector = load_detector(checkpoint, device, decoder=True)
    policy = detector.checkpoint.decision.aggregation.changed(clip_rule, face_rule)
    folder = report_folder(out) if report is None else Path(report)
    with locked(folder, [Path(path) for path in manifests]):
        parts = choose_parts(detector, [Path(path) for path in manifests], selection)
        evaluations = open_parts(detector, parts, folder, policy, batch, progress)
        scored = [each.score(part.rows) for each, part in zip(evaluations, parts, strict=True)]
        videos = [video for found, _ in scored for video in found]
        logits = video_logits(videos, policy)
        before = detector.checkpoint.decision
        people = [video.people for video in videos]
        crossed = cross_fitted(logits, people, method, false_alarm_rate, miss_rate)
        elsewhere = None if crossed is None else counted(logits.labels, crossed)
        record = partial(
            Calibration,
            manifests=tuple(part.manifest.hash for part in parts),
            splits=selection.splits,
            checkpoint_sha256=detector.checkpoint.hash,
            elsewhere=elsewhere,
        )
        after = fit_decision(logits, method, false_alarm_rate, miss_rate, record)
        calibrated = replace(detector.checkpoint, decision=after)
        written = {"path": str(out), "sha256": save_checkpoint(out, calibrated)}
    return CalibrationReport(
        provenance={**_provenance(detector, evaluations, selection), "written": written},
        checkpoint=calibrated,
        before=before,
        videos=videos,
        probabilities_before=logits.probabilities(Scaling(before.temperature, before.bias)),
        probabilities_after=logits.probabilities(Scaling(after.temperature, after.bias)),
        crossed=crossed,
        dropped=[video for part in parts for video in choose_rows(part.manifest, selection, False).dropped],
        warnings=doubts(detector, parts),
        reused=sum(reused for _, reused in scored),
    )


def report_folder(out: Path) -> Path:
    """Where scores and reports of a calibrated checkpoint lie unless told otherwise."""
    return out.with_name(out.stem + REPORT_SUFFIX)


def _provenance(
    detector: Detector, evaluations: Sequence[Evaluation], selection: Selection
) -> dict[str, Any]:
    """JSON values, as docs/calibration.md lists them."""
    first = evaluations[0]
    return {
        "command": typed_command(),
        "checkpoint": {"path": str(detector.path), "sha256": detector.checkpoint.hash},
        "manifests": [
            {"path": str(each.manifest.root), "sha256": each.manifest.hash} for each in evaluations
        ],
        "selection": selection.model_dump(mode="json"),
        "scoring": {
            "unit": first.unit,
            "rule": first.scoring_rule,
            "aggregation": first.policy.in_words(),
            "device": str(detector.device),
            "precision": detector.precision,
        },
    }
