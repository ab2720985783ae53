"""Grad-CAM: how much each value of a network's features speaks for fake."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deepfake_ssat.records import FAKE, REAL


def activation_times_gradient(
    clips: Tensor,
    features_of: Callable[[Tensor], tuple[Tensor, ...]],
    logits_of: Callable[..., Tensor],
) -> Tensor:
    """The first of ``features_of(clips)``, times the gradient of (fake - real logit) by it; the same shape.

    ``logits_of`` takes all of the features and returns (B, K). Summed over the features' width, with negative
    parts set to 0, this is Grad-CAM (Selvaraju et al., ICCV 2017).
    """
    with torch.inference_mode(False):
        with torch.no_grad():
            # A clone: tensors made in inference mode have no gradients.
            explained, *others = features_of(clips.clone())
        explained.requires_grad_(True)
        with torch.enable_grad():
            logits = logits_of(explained, *others)
            (gradient,) = torch.autograd.grad((logits[:, FAKE] - logits[:, REAL]).sum(), explained)
        return explained.detach() * gradient
