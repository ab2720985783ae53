"""The classifiers that can stand behind a transformer."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

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
