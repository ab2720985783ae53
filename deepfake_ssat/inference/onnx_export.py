"""A detector as one ONNX file: face clips in, the calibrated probability of fake out, nothing of ours needed.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference.extras import import_onnxruntime, require_packages
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import full_precision
from deepfake_ssat.models.self_test import noise_pixels
from deepfake_ssat.outputs import write_file
from deepfake_ssat.version import __version__

if TYPE_CHECKING:
    import onnx

EXPORT_PACKAGES = ("onnx", "onnxscript")
PARITY_PACKAGES = ("onnxruntime",)
OPSET = 20
INPUT, OUTPUT = "clips", "probability_of_fake"
SELF_TEST = "self_test_probability"
"""Metadata: torch's probability of ``noise_clips(checkpoint, 1)``, for those who load the file again."""
PARITY_TOLERANCE = 1e-4
PARITY_CLIPS = 3
"""More than the graph was traced with: the batch must be free."""


class ProbabilityOfFake(nn.Module):
    """From stored pixels to a calibrated probability, as one graph."""

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.model = checkpoint.model
        self.settings = checkpoint.settings
        self.decision = checkpoint.decision

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, T, H, W, C) uint8 -> (B,) in [0, 1]."""
        logits = self.model(normalize_pixels(pixels, self.settings))
        return self.decision.probabilities(logits)


def export_onnx(checkpoint: Checkpoint, path: Path) -> float:
    """Writes the file whole or not at all; returns the largest difference to torch on noise.

    Raises ConfigError where the extra ``export`` is not installed, OutputError where the file cannot be
    written, CheckpointError where ONNX Runtime's probabilities differ by more than ``PARITY_TOLERANCE``.
    """
    require_packages("export", "export", (*EXPORT_PACKAGES, *PARITY_PACKAGES))
    data = onnx_model(checkpoint).SerializeToString()
    difference = parity(checkpoint, data)
    if not difference <= PARITY_TOLERANCE:
        raise CheckpointError(
            f"{checkpoint.path}: its ONNX form differs from torch by {difference:.2e} in probability "
            f"(allowed: {PARITY_TOLERANCE:.0e}), nothing was written; try another version of torch or "
            "onnxscript"
        )
    write_file(path, data)
    return difference


def onnx_model(checkpoint: Checkpoint) -> onnx.ModelProto:
    """The graph of a checkpoint on the CPU, with a free batch size, and how to use it as metadata."""
    example = torch.zeros(2, *clip_shape(checkpoint), dtype=torch.uint8)
    program = torch.onnx.export(
        ProbabilityOfFake(checkpoint).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={"pixels": {0: "batch"}},
        verbose=False,
    )
    if program is None:
        raise TypeError("torch.onnx.export wrote a file where a program was asked for")
    model = program.model_proto
    _forget_origins(model.graph)
    model.producer_name, model.producer_version = "deepfake-ssat", __version__
    del model.metadata_props[:]
    for key, value in metadata(checkpoint).items():
        model.metadata_props.add(key=key, value=value)
    return model


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What a user of the file must know: input, output, how clips are cut, and what a probability means."""
    settings, contract = checkpoint.settings, checkpoint.require_contract()
    shape = ", ".join(map(str, clip_shape(checkpoint)))
    return {
        "input": f"{INPUT}: uint8 (batch, {shape}): frames, rows, columns, RGB of face crops that are cut as "
        f"extraction_contract says and resized to {settings.image_size} pixels; values 0 to 255, "
        "normalisation is part of the graph",
        "output": f"{OUTPUT}: float32 (batch,): that a clip's face is manipulated, calibrated, 0 to 1",
        "extraction_contract": json.dumps(contract.model_dump(mode="json")),
        "decision": json.dumps(asdict(checkpoint.decision)),
        "checkpoint_sha256": checkpoint.hash,
        SELF_TEST: f"{torch_probabilities(checkpoint, noise_clips(checkpoint, 1))[0]:.7f}",
    }


def clip_shape(checkpoint: Checkpoint) -> tuple[int, int, int, int]:
    """(T, H, W, C) of one clip as the model reads it."""
    settings = checkpoint.settings
    return settings.frames, settings.image_size, settings.image_size, settings.channels


def noise_clips(checkpoint: Checkpoint, num_clips: int) -> np.ndarray:
    """(B, T, H, W, C) uint8: the same on every machine, each clip of another contrast."""
    noise = noise_pixels(1, (num_clips, *clip_shape(checkpoint)))
    divisors = np.arange(1, num_clips + 1, dtype=np.uint8).reshape(-1, 1, 1, 1, 1)
    return noise // divisors


def torch_probabilities(checkpoint: Checkpoint, pixels: np.ndarray) -> np.ndarray:
    """(B, T, H, W, C) uint8 -> (B,): what other runtimes must give, computed in fp32."""
    with torch.inference_mode(), full_precision():
        return ProbabilityOfFake(checkpoint)(torch.from_numpy(pixels)).numpy()


def parity(checkpoint: Checkpoint, data: bytes) -> float:
    """The largest difference in probability between ONNX Runtime and torch, on noise, in several batches."""
    session = import_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    pixels = noise_clips(checkpoint, PARITY_CLIPS)
    (together,) = session.run([OUTPUT], {INPUT: pixels})
    (first,) = session.run([OUTPUT], {INPUT: pixels[:1]})
    expected = torch_probabilities(checkpoint, pixels)
    return float(max(np.abs(together - expected).max(), np.abs(first - expected[:1]).max()))


def _forget_origins(graph: onnx.GraphProto) -> None:
    """Drops torch's stack traces: they hold the paths of the machine that exported."""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del value.metadata_props[:]
    del graph.metadata_props[:]
