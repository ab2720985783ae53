"""Mixup (Zhang et al. 2018) of a batch with itself in another order."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def mixup(
    pixels: Tensor, labels: Tensor, num_classes: int, alpha: float, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """(B, …) float pixels and (B,) int labels -> mixed pixels and (B, K) soft labels.

    One weight from Beta(alpha, alpha) for the batch, as in the reference code; alpha 0 mixes nothing.
    """
    soft = F.one_hot(labels.long(), num_classes).to(pixels.dtype)
    if alpha == 0:
        return pixels, soft
    weight = float(generator.beta(alpha, alpha))
    partners = torch.from_numpy(generator.permutation(len(labels))).to(pixels.device)
    return weight * pixels + (1 - weight) * pixels[partners], weight * soft + (1 - weight) * soft[partners]
