"""``deepfake-ssat model``: what a checkpoint is, after it passed its self-test."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from deepfake_ssat.models.checkpoint import Checkpoint
    from deepfake_ssat.models.decision import Decision

ALL_WELL = 0


def run(checkpoint: Path | None = None) -> int:
    """Prints a checkpoint's hash, decision, metrics, network, contract and provenance; returns 0.

    Raises CheckpointError for a file that cannot be used, and without one where no default weights exist.
    """
    from deepfake_ssat.inference.default_weights import default_weights
    from deepfake_ssat.models.checkpoint import load_checkpoint

    path = checkpoint or default_weights()
    console = Console(highlight=False)
    for section, values in _sections(path, load_checkpoint(path)).items():
        console.print(Text(section, style="bold"))
        for name, value in values.items() or [("-", "none")]:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            console.print(Text(f"  {name:<18} {shown}"), soft_wrap=True)
    return ALL_WELL


def _decision(decision: Decision) -> dict[str, Any]:
    calibration = decision.calibration
    meaning = calibration.in_words() if calibration else "none: training chose threshold and band"
    return {**asdict(decision), "calibration": meaning}


def _metrics(checkpoint: Checkpoint) -> dict[str, Any]:
    """The metrics, and first what they are of: a pseudo-fake is far easier to tell than a deepfake."""
    if not checkpoint.metrics:
        return {}
    data = checkpoint.provenance.get("config", {}).get("data")
    if data is None:
        return {"measured on": "the file does not say", **checkpoint.metrics}
    measured_on = "the validation part of the training data, which chose the epoch too"
    sources = data["sources"].values() if "sources" in data else [data]
    if any(source.get("pseudo_fakes") is not None for source in sources):
        measured_on += "; pseudo-fakes of its genuine videos count as fakes, and are easier than deepfakes"
    return {"measured on": measured_on, **checkpoint.metrics}


def _sections(path: Path, checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """What is printed, by heading."""
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    with_decoder = checkpoint.model.autoencoder() is not None
    contract = checkpoint.contract
    return {
        "file": {
            "path": str(path),
            "sha256": checkpoint.hash,
            "kind": checkpoint.kind,
            "parameters": f"{parameters / 1e6:.1f} million{', decoder included' if with_decoder else ''}",
            "self-test": "passed",
        },
        "decision": _decision(checkpoint.decision),
        "metrics": _metrics(checkpoint),
        "model": checkpoint.settings.model_dump(mode="json"),
        "extraction contract": {"hash": contract.hash(), **contract.model_dump(mode="json")}
        if contract
        else {"-": "none: trained on images, not on face clips"},
        "provenance": checkpoint.origin,
    }
