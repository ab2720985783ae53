"""What a checkpoint's network says of one clip of noise: stored with it, and compared when it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import full_precision

SELF_TEST_SEED = 1
SELF_TEST_TOLERANCE = 1e-3


def stored_self_test(stored: dict[str, Any], num_classes: int) -> tuple[int, list[float]]:
    """Seed and probabilities; raises ValueError or TypeError where they are none."""
    seed, probabilities = stored["seed"], [float(value) for value in stored["probabilities"]]
    if not isinstance(seed, int) or not 0 <= seed < 2**32 or len(probabilities) != num_classes:
        raise ValueError(f"self-test of seed {seed!r} and {len(probabilities)} probabilities")
    return seed, probabilities


def require_self_test(path: Path, model: Network, seed: int, expected: list[float]) -> None:
    """Raises CheckpointError where the model computes something else than when it was saved."""
    difference = float(np.abs(np.array(self_test(model, seed)) - np.array(expected)).max())
    if not difference <= SELF_TEST_TOLERANCE:
        raise CheckpointError(
            f"{path}: self-test failed, a probability is off by {difference:.4f} (allowed: "
            f"{SELF_TEST_TOLERANCE}); the file is damaged, or this version computes something else"
        )


def self_test(model: Network, seed: int) -> list[float]:
    """Class probabilities of one clip of noise, in fp32 on the model's device."""
    settings = model.settings
    shape = (1, settings.frames, settings.image_size, settings.image_size, settings.channels)
    device = next(model.parameters()).device
    pixels = torch.from_numpy(noise_pixels(seed, shape)).to(device)
    with full_precision(), torch.inference_mode(), torch.autocast(device.type, enabled=False):
        logits = model.self_test_logits(normalize_pixels(pixels, settings))
    return [round(value, 6) for value in logits.softmax(dim=1)[0].tolist()]


def noise_pixels(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 noise from a multiplicative hash: the same on every machine and in every version of numpy."""
    counter = np.arange(np.prod(shape), dtype=np.uint32) + np.uint32(seed)
    counter *= np.uint32(2654435761)
    counter ^= counter >> np.uint32(15)
    counter *= np.uint32(2246822519)
    return (counter >> np.uint32(24)).astype(np.uint8).reshape(shape)
