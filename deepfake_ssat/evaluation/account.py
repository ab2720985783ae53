"""What a report says of its run: command, checkpoint, manifest, rules, and reasons for doubt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deepfake_ssat.config import Selection
from deepfake_ssat.evaluation.evaluation import Evaluation
from deepfake_ssat.evaluation.threshold import chosen_on_themselves
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import EvaluatedVideo


def provenance(evaluation: Evaluation, selection: Selection) -> dict[str, Any]:
    """JSON values, as docs/evaluate_report.md lists them."""
    detector, manifest = evaluation.detector, evaluation.manifest
    checkpoint = detector.checkpoint
    return {
        "command": typed_command(),
        **checkpoint_facts(checkpoint),
        "manifest": {
            "path": str(manifest.root),
            "sha256": manifest.hash,
            "contract_hash": manifest.contract.hash(),
            "contract": manifest.contract.model_dump(mode="json"),
        },
        "selection": selection.model_dump(mode="json"),
        "scoring": {
            "unit": evaluation.unit,
            "frames": checkpoint.settings.frames,
            "rule": evaluation.scoring_rule,
            "aggregation": evaluation.policy.in_words(),
            "device": str(detector.device),
            "precision": detector.precision,
            "run": evaluation.run_key,
            "bootstrap_seed": evaluation.seed,
        },
    }


def checkpoint_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """JSON values of what was measured, and of the training that made it."""
    return {
        "training": _training(checkpoint.provenance),
        "checkpoint": {
            "path": str(checkpoint.path),
            "sha256": checkpoint.hash,
            "kind": checkpoint.kind,
            "decision": asdict(checkpoint.decision),
            "metrics": checkpoint.metrics,
            "provenance": checkpoint.origin,
        },
    }


def _training(stored: dict[str, Any]) -> dict[str, Any]:
    """Names the training run; its whole configuration is in the checkpoint's provenance."""
    config = stored.get("config")
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    return {
        "command": stored.get("command"),
        "config_sha256": hashlib.sha256(canonical).hexdigest() if config else None,
    }


def doubts(
    evaluation: Evaluation, videos: Sequence[EvaluatedVideo], validation: Sequence[EvaluatedVideo]
) -> list[str]:
    """Why the figures may say less than they seem to."""
    found = _seen_before(evaluation.detector.checkpoint.provenance.get("seen"), videos)
    unlabelled = sum(video.label is None for video in videos)
    if unlabelled:
        found.append(f"videos without a label: {unlabelled}, scored (see videos.csv) but in no metric")
    own = evaluation.detector.checkpoint.decision
    if own.calibration and evaluation.decision is None:
        found.append(
            f"the probabilities were calibrated for scores put together as {own.aggregation.in_words()}: "
            "put together otherwise they do not mean what they say"
        )
    return found + chosen_on_themselves(videos, validation)


def _seen_before(seen: dict[str, list[str]] | None, videos: Sequence[EvaluatedVideo]) -> list[str]:
    """Videos with a person, or of a group, that the checkpoint met in training or validation."""
    if seen is None:
        return ["the checkpoint does not say whom it was trained on: nobody can be recognised as seen"]
    found = []
    for split, purpose in (("train", "trained"), ("val", "validated")):
        known = set(seen.get(split, ()))
        again = [video for video in videos if known & set(video.people)]
        if again:
            names = ", ".join(video.name for video in again[:3])
            found.append(
                f"{len(again)} of {len(videos)} videos show people or scenes that the checkpoint was "
                f"{purpose} on ({names}{', …' if len(again) > 3 else ''}): their scores are too good"
            )
    return found
