"""The training objectives as functions of (model, clips, labels): scratch, mae, ssat, ssat_visible, supmae.

B batch, C channels, T frames, H W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.network import Autoencoder, Network
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.models.reconstruction import reconstruction_errors, reconstruction_target


@dataclass(frozen=True)
class Losses:
    """One training step's losses, scalars in fp32; the parts are before their weighting."""

    total: Tensor
    classification: Tensor | None = None
    reconstruction: Tensor | None = None
    logits: Tensor | None = None
    """(B, K), detached, as detection computes them: None where a whole clip was not classified."""


Objective = Callable[[Any, Tensor, Tensor, ObjectiveSettings, Tensor | None, torch.Generator | None], Losses]
"""The first argument is the network: for those that reconstruct an ``Autoencoder``, else any ``Network``."""


def scratch(
    model: Network,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """Classification alone: training from scratch, and fine-tuning."""
    logits = model.classify(clips)
    loss = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    return Losses(loss, classification=loss, logits=logits.detach())


def mae(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """Reconstruction alone: pre-training as in MAE and VideoMAE; labels are not read."""
    mask = _random_mask(model, clips, settings, generator)
    loss = reconstruction_loss(model, clips, mask, model.reconstruct(clips, mask), settings)
    return Losses(loss, reconstruction=loss)


def ssat(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """All tokens to the classifier, visible ones to the decoder: two passes of one encoder (paper, eq. 1)."""
    logits = model.classify(clips)
    mask = _random_mask(model, clips, settings, generator)
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    reconstruction = reconstruction_loss(model, clips, mask, model.reconstruct(clips, mask), settings)
    return _joint(classification, reconstruction, settings, logits.detach())


def ssat_visible(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """SSAT's loss with one pass of the encoder: the classifier reads the visible tokens too, as in SupMAE."""
    mask = _random_mask(model, clips, settings, generator)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    reconstruction = reconstruction_loss(model, clips, mask, predictions, settings)
    return _joint(classification, reconstruction, settings)


def supmae(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """Supervised pre-training on the visible tokens, w·L_cls + L_rec (Liang et al. 2022); to be fine-tuned."""
    mask = _random_mask(model, clips, settings, generator)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    logits = logits / settings.supmae_temperature
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    reconstruction = reconstruction_loss(model, clips, mask, predictions, settings)
    total = settings.classification_weight * classification + reconstruction
    return Losses(total, classification, reconstruction)


OBJECTIVES: dict[str, Objective] = {
    "scratch": scratch,
    "mae": mae,
    "ssat": ssat,
    "ssat_visible": ssat_visible,
    "supmae": supmae,
}


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


def _random_mask(
    model: Autoencoder, clips: Tensor, settings: ObjectiveSettings, generator: torch.Generator | None
) -> Tensor:
    return tube_mask(clips.shape[0], model.settings.grid, settings.mask_ratio, generator, clips.device)


def _joint(
    classification: Tensor,
    reconstruction: Tensor,
    settings: ObjectiveSettings,
    logits: Tensor | None = None,
) -> Losses:
    """λ·L_cls + (1 − λ)·L_rec (paper, eq. 1 and 2)."""
    weight = settings.classification_weight
    total = weight * classification + (1.0 - weight) * reconstruction
    return Losses(total, classification, reconstruction, logits)
