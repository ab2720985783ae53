"""What a report says of its run: command, checkpoint, manifest, rules, threshold, and reasons for doubt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deepfake_ssat.aggregate import AggregationPolicy
from deepfake_ssat.config import Selection
from deepfake_ssat.evaluation.scoring import run_key, scoring_rule, unit_of
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.invocation import command_line
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.metrics import choose_threshold
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import ScoredVideo


def provenance(
    detector: Detector, manifest: Manifest, selection: Selection, policy: AggregationPolicy, seed: int
) -> dict[str, Any]:
    """JSON values, as docs/evaluate_report.md lists them."""
    checkpoint = detector.checkpoint
    return {
        "command": command_line(),
        "training": _training(checkpoint.provenance),
        "checkpoint": {
            "path": str(detector.path),
            "sha256": checkpoint.hash,
            "kind": checkpoint.kind,
            "decision": asdict(checkpoint.decision),
            "metrics": checkpoint.metrics,
            "provenance": {name: value for name, value in checkpoint.provenance.items() if name != "seen"},
        },
        "manifest": {
            "path": str(manifest.root),
            "sha256": manifest.hash,
            "contract_hash": manifest.contract.hash(),
            "contract": manifest.contract.model_dump(mode="json"),
        },
        "selection": selection.model_dump(mode="json"),
        "scoring": {
            "unit": unit_of(detector),
            "frames": checkpoint.settings.frames,
            "rule": scoring_rule(detector),
            "aggregation": policy.in_words(),
            "device": str(detector.device),
            "precision": detector.precision,
            "run": run_key(detector, manifest),
            "bootstrap_seed": seed,
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


def has_own_threshold(decision: Decision) -> bool:
    """Whether training chose it on validation videos: then the decision is not the default one."""
    return decision != Decision()


def threshold_and_source(decision: Decision, validation: Sequence[ScoredVideo]) -> tuple[float | None, str]:
    """The checkpoint's, or the one of best balanced accuracy on the manifest's validation videos."""
    if has_own_threshold(decision):
        return decision.threshold, _origin(decision)
    if not validation:
        return None, "the checkpoint stores none and the manifest has no validation videos"
    chosen = choose_threshold(
        [int(video.label or 0) for video in validation], [video.probability for video in validation]
    )
    where = f"{len(validation)} validation videos of this manifest"
    if chosen is None:
        return None, f"the checkpoint stores none and the {where} are of one class"
    return chosen, f"the best balanced accuracy on the {where}"


def _origin(decision: Decision) -> str:
    found = decision.calibration
    if found is None:
        return "stored in the checkpoint, chosen on its validation videos"
    return (
        f"stored in the checkpoint, calibrated on {found.false_alarms.videos} genuine and "
        f"{found.misses.videos} manipulated videos for at most {100 * found.false_alarms.allowed:g} % "
        "false alarms"
    )


def doubts(detector: Detector, videos: Sequence[ScoredVideo], validation: Sequence[ScoredVideo]) -> list[str]:
    """Why the figures may say less than they seem to."""
    found = _seen_before(detector.checkpoint.provenance.get("seen"), videos)
    unlabelled = sum(video.label is None for video in videos)
    if unlabelled:
        found.append(f"videos without a label: {unlabelled}, scored (see videos.csv) but in no metric")
    shared = {(video.corpus, video.video_id) for video in videos} & {
        (video.corpus, video.video_id) for video in validation
    }
    if shared:
        found.append(
            f"the threshold was chosen on {len(shared)} of the evaluated videos themselves: "
            "acc@val and bal@val are too good"
        )
    return found


def _seen_before(seen: dict[str, list[str]] | None, videos: Sequence[ScoredVideo]) -> list[str]:
    """Videos with a person, or of a group, that the checkpoint met in training or validation."""
    if seen is None:
        return ["the checkpoint does not say whom it was trained on: nobody can be recognised as seen"]
    found = []
    for split, purpose in (("train", "trained"), ("val", "validated")):
        known = set(seen.get(split, ()))
        again = [video for video in videos if known & set(video.people)]
        if again:
            names = ", ".join(f"{video.corpus}/{video.video_id}" for video in again[:3])
            found.append(
                f"{len(again)} of {len(videos)} videos show people or scenes that the checkpoint was "
                f"{purpose} on ({names}{', …' if len(again) > 3 else ''}): their scores are too good"
            )
    return found
