"""What computes a clip's score: torch on any device, or OpenVINO on the CPU; the verdicts are the same.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch

from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.inference.extras import import_openvino, require_packages
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import inference_dtype
from deepfake_ssat.outputs import cache_folder, write_file
from deepfake_ssat.version import __version__

Precision = Literal["bf16", "fp32"]
OPENVINO_TOLERANCE = {"fp32": 1e-3, "bf16": 0.03}
"""The largest difference in probability to torch's fp32 on one clip of noise, by precision."""


class ClipScorer(Protocol):
    """Scores clips of the model's frames and size."""

    name: str
    precision: Precision

    def score(self, pixels: np.ndarray | torch.Tensor) -> np.ndarray:
        """(B, T, H, W, C) uint8 -> (B,) probabilities of fake, calibrated."""
        ...


class TorchScorer:
    """The checkpoint's own network, in bf16 where the device has it in hardware."""

    name = "torch"

    def __init__(self, checkpoint: Checkpoint, device: torch.device):
        self.precision: Precision = precision_of(device)
        self._checkpoint = checkpoint
        self._device = device

    def score(self, pixels: np.ndarray | torch.Tensor) -> np.ndarray:
        """(B, T, H, W, C) uint8 -> (B,) probabilities of fake, calibrated."""
        autocast = (
            torch.autocast(self._device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()
        )
        with torch.inference_mode(), autocast:
            clips = normalize_pixels(torch.as_tensor(pixels).to(self._device), self._checkpoint.settings)
            logits = self._checkpoint.model(clips).float()
        return self._checkpoint.decision.probabilities(logits).cpu().numpy()


class OpenVinoScorer:
    """The checkpoint's ONNX form under OpenVINO, with as many threads as torch has.

    The form is made once for a checkpoint and kept in the user's cache folder. Each start compares the score
    of one clip with torch's, which the form holds. Raises ConfigError where the extra is not installed or the
    device is no CPU, CheckpointError where the two disagree.
    """

    name = "openvino"

    def __init__(self, checkpoint: Checkpoint, device: torch.device):
        from deepfake_ssat.inference.onnx_export import EXPORT_PACKAGES

        if device.type != "cpu":
            raise ConfigError(f"backend openvino runs on the CPU, device is {device}; choose cpu, or torch")
        require_packages("backend openvino", "openvino", ("openvino", *EXPORT_PACKAGES))
        self.precision: Precision = precision_of(device)
        stored = _stored_onnx(checkpoint)
        self._compiled, expected = _compile(stored, self.precision)
        self._check(checkpoint, stored, expected)

    def score(self, pixels: np.ndarray | torch.Tensor) -> np.ndarray:
        """(B, T, H, W, C) uint8 -> (B,) probabilities of fake, calibrated."""
        return self._compiled([np.asarray(pixels)])[0].copy()

    def _check(self, checkpoint: Checkpoint, stored: Path, expected: float) -> None:
        """The self-test of this backend."""
        from deepfake_ssat.inference.onnx_export import noise_clips

        difference = abs(float(self.score(noise_clips(checkpoint, 1))[0]) - expected)
        allowed = OPENVINO_TOLERANCE[self.precision]
        if not difference <= allowed:
            raise CheckpointError(
                f"{checkpoint.path}: OpenVINO differs from torch by {difference:.4f} in probability "
                f"(allowed: {allowed}); remove {stored} and try again, or use --backend torch"
            )


BACKENDS: dict[str, Callable[[Checkpoint, torch.device], ClipScorer]] = {
    TorchScorer.name: TorchScorer,
    OpenVinoScorer.name: OpenVinoScorer,
}


def make_scorer(name: str, checkpoint: Checkpoint, device: torch.device) -> ClipScorer:
    """The scorer of a name; raises ConfigError for one that does not exist."""
    if name not in BACKENDS:
        raise ConfigError(f"backend is {name!r}, choose {' or '.join(BACKENDS)}")
    return BACKENDS[name](checkpoint, device)


def precision_of(device: torch.device) -> Precision:
    """What scores are computed in there."""
    return "bf16" if inference_dtype(device) is torch.bfloat16 else "fp32"


def _stored_onnx(checkpoint: Checkpoint) -> Path:
    """The checkpoint's ONNX file in the cache, made first where it is not there yet."""
    from deepfake_ssat.inference.onnx_export import onnx_model

    path = cache_folder() / "onnx" / f"{checkpoint.hash}-{__version__}.onnx"
    if not path.is_file():
        try:
            write_file(path, onnx_model(checkpoint).SerializeToString())
        except OutputError as error:
            raise OutputError(
                f"{path} cannot be written, backend openvino keeps its models there; set XDG_CACHE_HOME to a "
                "folder that can be"
            ) from error
    return path


def _compile(path: Path, precision: str) -> tuple[Any, float]:
    """The network ready to run, and torch's probability for its self-test."""
    from deepfake_ssat.inference.onnx_export import SELF_TEST

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    try:
        core = import_openvino().Core()
        model = core.read_model(path)
        expected = float(model.get_rt_info(["framework", SELF_TEST]).value)
        return core.compile_model(model, "CPU", options), expected
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path}: OpenVINO cannot use it ({reason}); remove the file and try again"
        ) from error
