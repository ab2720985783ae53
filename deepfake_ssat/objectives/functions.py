"""The training objectives as functions of (model, clips, labels): classification, self-supervision, or both.

B batch, C channels, T frames, H W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.network import Autoencoder, FeatureNetwork
from deepfake_ssat.models.uniform_masking import draw_mask
from deepfake_ssat.objectives.losses import classification_loss, reconstruction_loss
from deepfake_ssat.objectives.tasks import Auxiliary


@dataclass(frozen=True)
class Losses:
    """One training step's losses, scalars in fp32; the parts are before their weighting."""

    total: Tensor
    classification: Tensor | None = None
    reconstruction: Tensor | None = None
    views: Tensor | None = None
    """Of the task that compares two views."""
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    """Added to the classification, by the names of their settings."""
    logits: Tensor | None = None
    """(B, K), detached, as detection computes them: None where a whole clip was not classified."""


Objective = Callable[..., Losses]
"""Called as those below. The first argument is the network: for those that reconstruct an ``Autoencoder``,
for those with other tasks a ``FeatureNetwork``, else any ``Network``."""


def scratch(
    model: Any,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """Classification alone: training from scratch, and fine-tuning; with the terms added to it."""
    tasks = auxiliary.tasks.on_maps if auxiliary is not None else {}
    logits, terms = _classify(model, clips, tasks, generator)
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    weighted = [tasks[name].weight * value for name, value in terms.items()]
    total = torch.stack([classification, *weighted]).sum()
    return Losses(total, classification=classification, terms=terms, logits=logits.detach())


def mae(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """Reconstruction alone: pre-training as in MAE and VideoMAE; labels are not read."""
    loss = _reconstruction(model, clips, settings, generator)
    return Losses(loss, reconstruction=loss)


def ssat(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """All tokens to the classifier, visible ones to the decoder: two passes of one encoder (paper, eq. 1)."""
    primary = scratch(model, clips, labels, settings, class_weights, generator, auxiliary)
    reconstruction = _reconstruction(model, clips, settings, generator)
    total = _joint(primary.total, reconstruction, settings)
    return replace(primary, total=total, reconstruction=reconstruction)


def ssat_visible(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """SSAT's loss with one pass of the encoder: the classifier reads the visible tokens too, as in SupMAE."""
    logits, reconstruction = _from_visible(model, clips, settings, generator)
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    return Losses(_joint(classification, reconstruction, settings), classification, reconstruction)


def supmae(
    model: Autoencoder,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """Supervised pre-training on visible tokens, w·L_cls + L_rec (Liang et al. 2022); to be fine-tuned."""
    logits, reconstruction = _from_visible(model, clips, settings, generator)
    logits = logits / settings.supmae_temperature
    classification = classification_loss(logits, labels, class_weights, settings.label_smoothing)
    total = settings.classification_weight * classification + reconstruction
    return Losses(total, classification, reconstruction)


def views_alone(
    model: FeatureNetwork,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """Pre-training by SimCLR or DINO: two views alone; clips and labels are not read."""
    assert auxiliary is not None
    loss = auxiliary.compare_views(model)
    return Losses(loss, views=loss)


def ssat_views(
    model: Any,
    clips: Tensor,
    labels: Tensor,
    settings: ObjectiveSettings,
    class_weights: Tensor | None = None,
    generator: torch.Generator | None = None,
    auxiliary: Auxiliary | None = None,
) -> Losses:
    """SSAT with SimCLR or DINO in place of MAE (table 4): the clip is classified, two views are compared."""
    assert auxiliary is not None
    primary = scratch(model, clips, labels, settings, class_weights, generator, auxiliary)
    views = auxiliary.compare_views(model)
    return replace(primary, total=_joint(primary.total, views, settings), views=views)


OBJECTIVES: dict[str, Objective] = {
    "scratch": scratch,
    "mae": mae,
    "simclr": views_alone,
    "dino": views_alone,
    "ssat": ssat,
    "ssat_simclr": ssat_views,
    "ssat_dino": ssat_views,
    "ssat_visible": ssat_visible,
    "supmae": supmae,
}


def _classify(
    model: Any, clips: Tensor, tasks: Mapping[str, Any], generator: torch.Generator | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits (B, K), and the losses of the tasks that read what led to them."""
    if not tasks:
        return model.classify(clips), {}
    logits, maps = model.classify_with_maps(clips)
    return logits, {name: task(maps, clips, generator) for name, task in tasks.items()}


def _reconstruction(
    model: Autoencoder, clips: Tensor, settings: ObjectiveSettings, generator: torch.Generator | None
) -> Tensor:
    """Of patches hidden at random, from the visible ones."""
    mask = _random_mask(model, clips, settings, generator)
    return reconstruction_loss(model, clips, mask, model.reconstruct(clips, mask), settings)


def _from_visible(
    model: Autoencoder, clips: Tensor, settings: ObjectiveSettings, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Logits (B, K) and the loss of reconstruction, from one pass over the visible patches."""
    mask = _random_mask(model, clips, settings, generator)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    return logits, reconstruction_loss(model, clips, mask, predictions, settings)


def _random_mask(
    model: Autoencoder, clips: Tensor, settings: ObjectiveSettings, generator: torch.Generator | None
) -> Tensor:
    return draw_mask(clips.shape[0], model.settings, settings.mask_ratio, generator, clips.device)


def _joint(primary: Tensor, self_supervised: Tensor, settings: ObjectiveSettings) -> Tensor:
    """λ·L_cls + (1 − λ)·L_SSAT (paper, eq. 1 and 2)."""
    return settings.classification_weight * primary + (1.0 - settings.classification_weight) * self_supervised
