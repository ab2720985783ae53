"""The classifiers that can stand behind a transformer, and how every network applies its own.

B batch, D width, K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deepfake_ssat.config.model import EncoderSettings


def _linear_head(encoder: EncoderSettings, num_classes: int) -> nn.Module:
    return nn.Linear(encoder.width, num_classes)


def _mlp_head(encoder: EncoderSettings, num_classes: int) -> nn.Module:
    """SupMAE's: as wide as the encoder's MLP, 3,072 in ViT-B."""
    hidden = round(encoder.width * encoder.mlp_ratio)
    return nn.Sequential(
        nn.Linear(encoder.width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )


HEADS: dict[str, Callable[[EncoderSettings, int], nn.Module]] = {
    "linear": _linear_head,
    "mlp_batch_norm": _mlp_head,
}
"""Classifiers over the encoder's width, by ``ModelSettings.head``."""


def full_logits(head: nn.Module, features: Tensor) -> Tensor:
    """(B, D) -> (B, K), in the head's own number type whatever autocast says.

    Logits in bf16 have 8 bits, and many videos or pictures would share one probability.
    """
    with torch.autocast(features.device.type, enabled=False):
        return head(features.to(next(head.parameters()).dtype))
