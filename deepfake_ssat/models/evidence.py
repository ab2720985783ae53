"""Grad-CAM: how much each value of a network's features speaks for a class.

B batch, K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deepfake_ssat.records import FAKE


def activation_times_gradient(
    clips: Tensor,
    features_of: Callable[[Tensor], tuple[Tensor, ...]],
    logits_of: Callable[..., Tensor],
    classes: Tensor | None = None,
) -> Tensor:
    """The first of ``features_of(clips)``, times the gradient of a class's margin by it; the same shape.

    ``logits_of`` takes all of the features and returns (B, K); ``classes`` (B,) are fake unless given.
    Summed over the features' width, with negative
    parts set to 0, this is Grad-CAM (Selvaraju et al., ICCV 2017).
    """
    with torch.inference_mode(False):
        with torch.no_grad():
            # A clone: tensors made in inference mode have no gradients.
            explained, *others = features_of(clips.clone())
        explained.requires_grad_(True)
        with torch.enable_grad():
            logits = logits_of(explained, *others)
            if classes is None:
                classes = torch.full((len(logits),), FAKE, device=logits.device)
            (gradient,) = torch.autograd.grad(class_margin(logits, classes).sum(), explained)
        return explained.detach() * gradient


def class_margin(logits: Tensor, classes: Tensor) -> Tensor:
    """(B, K), (B,) -> (B,): a class's logit above the mean of the others, such as fake - real."""
    own = logits.gather(1, classes.unsqueeze(1)).squeeze(1)
    return own - (logits.sum(dim=1) - own) / (logits.shape[1] - 1)
