"""The losses of classification and reconstruction, in fp32.

B batch, C channels, T frames, H W pixels, N tokens, M hidden ones, P patch values, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.network import Autoencoder
from deepfake_ssat.models.reconstruction import reconstruction_errors, reconstruction_target


def equation3_weights(real_weight: float) -> Tensor:
    """w -> (w, 1 - w): the weights of real (index 0) and fake (index 1) in the paper's equation 3.

    With w the fraction of fakes among the training examples, both classes weigh the same in all.
    """
    return torch.tensor([real_weight, 1.0 - real_weight])


def classification_loss(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Logits (B, K), labels int (B,) or soft (B, K) -> cross-entropy in fp32, the batch's mean.

    Each term is multiplied by its class's weight and the sum divided by B, as equation 3 is written. (torch
    divides by the sum of the batch's weights instead, which cancels them where a batch has one class only.)
    """
    with torch.autocast(logits.device.type, enabled=False):
        num_classes = logits.shape[1]
        targets = labels.float() if labels.ndim == 2 else F.one_hot(labels.long(), num_classes).float()
        targets = targets * (1.0 - label_smoothing) + label_smoothing / num_classes
        if class_weights is not None:
            targets = targets * class_weights.to(targets)
        return -(targets * logits.float().log_softmax(dim=1)).sum(dim=1).mean()


def reconstruction_loss(
    model: Autoencoder, clips: Tensor, mask: Tensor, predictions: Tensor, settings: ObjectiveSettings
) -> Tensor:
    """Mean squared error on hidden tokens alone, in fp32; predictions (B, M, P) come from ``reconstruct``."""
    with torch.autocast(clips.device.type, enabled=False), torch.no_grad():
        target, _ = reconstruction_target(
            clips, model.settings, normalize=settings.normalize_target, convention=settings.target_convention
        )
    with torch.autocast(clips.device.type, enabled=False):
        return reconstruction_errors(predictions, target, mask).mean()
