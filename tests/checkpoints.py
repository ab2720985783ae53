"""Makes tiny checkpoints with random weights for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from deepfake_ssat.config import ExtractionSettings, ModelSettings
from deepfake_ssat.models.checkpoint import Checkpoint, Decision, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from tests.models.tiny import VIDEO


def make_checkpoint(
    path: Path,
    contract: ExtractionSettings,
    settings: ModelSettings = VIDEO,
    decision: Decision | None = None,
    provenance: dict[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """A detector of faces whose scores depend on the pixels and are not all near 0.5; returns its path."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MaskedAutoencoder(settings)
        with torch.no_grad():
            model.head.weight.normal_()
    checkpoint = Checkpoint(
        model, settings, contract, decision or Decision(), provenance=provenance or {"config": "tiny.yaml"}
    )
    save_checkpoint(path, checkpoint)
    return path
