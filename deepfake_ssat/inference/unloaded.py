"""A detector that other processes load: the checkpoint's header tells what its verdicts rest on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.inference.arguments import checkpoint_path
from deepfake_ssat.inference.backends import Precision, TorchScorer, precision_of
from deepfake_ssat.inference.default_weights import default_weights, is_default
from deepfake_ssat.inference.detector import Detector, StrPath, load_detector
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.models.checkpoint import Checkpoint, describe_checkpoint
from deepfake_ssat.models.passed_tests import has_passed


@dataclass(frozen=True)
class UnloadedDetector:
    """As a ``Detector``, but it judges nothing."""

    checkpoint: Checkpoint
    """Without weights."""
    path: Path
    device: torch.device
    backend: str = TorchScorer.name

    @property
    def contract(self) -> ExtractionSettings:
        """How faces are cut."""
        return self.checkpoint.require_contract()

    @property
    def precision(self) -> Precision:
        """What the scores are computed in."""
        return precision_of(self.device)

    @property
    def has_default_weights(self) -> bool:
        """Whether it judges by the weights that come with the package."""
        return is_default(self.path)


def describe_detector(checkpoint: StrPath | None, device: str, backend: str) -> Detector | UnloadedDetector:
    """For a process that judges nothing itself; raises as ``load_detector`` does.

    A file whose self-test was not passed here is loaded all the same, so that it is refused before any work;
    and so is one for OpenVINO, whose form of it is made once and not by all workers at a time.
    """
    path = default_weights() if checkpoint is None else checkpoint_path(checkpoint)
    where = resolve_device(device)
    if backend == TorchScorer.name:
        described = UnloadedDetector(describe_checkpoint(path), path, where)
        if has_passed(described.checkpoint.hash, where):
            return described
    return load_detector(checkpoint, device, backend=backend)
