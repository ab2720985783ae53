"""What judged, in the words of the JSON document: its ``checkpoint`` and its ``settings``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.inference.unloaded import UnloadedDetector
from deepfake_ssat.models.decision import Calibration
from deepfake_ssat.version import __version__

Described = Detector | UnloadedDetector
PACKAGED = "default weights of deepfake-ssat"
"""In place of a path: where a machine keeps its packages is nobody's business."""


def checkpoint_record(detector: Described) -> dict[str, Any]:
    """The ``checkpoint`` of the JSON document."""
    checkpoint = detector.checkpoint
    return {
        "path": PACKAGED if detector.has_default_weights else str(detector.path),
        "sha256": checkpoint.hash,
        "kind": checkpoint.kind,
        "threshold": checkpoint.decision.threshold,
        "uncertain_low": checkpoint.decision.uncertain_low,
        "uncertain_high": checkpoint.decision.uncertain_high,
        "temperature": checkpoint.decision.temperature,
        "bias": checkpoint.decision.bias,
        "calibration": _calibration_record(checkpoint.decision.calibration),
        "contract_hash": detector.contract.hash(),
        "provenance": checkpoint.origin,
    }


def _calibration_record(calibration: Calibration | None) -> dict[str, Any] | None:
    return {"meaning": calibration.in_words(), **asdict(calibration)} if calibration else None


def settings_record(detector: Described, clips: int | None) -> dict[str, Any]:
    """The ``settings`` of the JSON document: what a score depends on besides the checkpoint."""
    return {
        "clips": "all" if clips is None else clips,
        "reader": "pyav",
        "backend": detector.backend,
        "device": str(detector.device),
        "precision": detector.precision,
        "aggregation": asdict(detector.checkpoint.decision.aggregation),
    }


def judged_by(detector: Described, clips: int | None, rotate: int) -> dict[str, Any]:
    """What a stored verdict rests on besides its file: weights, program, settings and the turn asked for."""
    return {
        "checkpoint": detector.checkpoint.hash,
        "version": __version__,
        "settings": settings_record(detector, clips),
        "rotate": rotate,
    }
