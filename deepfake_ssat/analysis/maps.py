"""Where networks look in single pictures and clips: attention of the last block, and Grad-CAM.

T frames, H W pixels, C channels; maps have t h w cells, over a grid of the network's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from deepfake_ssat.analysis.attention import looked_at
from deepfake_ssat.analysis.blocks import watched_weights
from deepfake_ssat.analysis.samples import Samples
from deepfake_ssat.models.blocks import TokenBlocks
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import full_precision


@dataclass(frozen=True)
class SampleMaps:
    """One picture or clip as one network sees it."""

    name: str
    label: str
    """Its class."""
    probability: float | None
    """That the network gives this class, by the checkpoint's decision where that is of faces; None for a
    network whose classifier was not trained."""
    pixels: np.ndarray
    """(T, H, W, C) uint8."""
    attention: np.ndarray | None
    """(t, h, w) float32; None for a network without plain blocks."""
    grad_cam: np.ndarray | None
    """(t, h, w) float32 >= 0, for its own class; None for a network whose classifier was not trained."""


def map_sample(checkpoint: Checkpoint, samples: Samples, item: int, *, classifies: bool) -> SampleMaps:
    """Both maps of an item, on the device of the checkpoint's network."""
    network = checkpoint.model
    device = next(network.parameters()).device
    pixels, label = samples.pixels(item), samples.label(item)
    clip = normalize_pixels(pixels[None].to(device), samples.settings)
    blocks, attention, probability, evidence = network.token_blocks(), None, None, None
    with full_precision():
        if blocks is not None:
            attention = attention_map(network, blocks, clip)[0].cpu().numpy()
        if classifies:
            probability = _probability(checkpoint, clip, label)
            evidence = network.evidence_map(clip, torch.tensor([label], device=device))[0].cpu().numpy()
    return SampleMaps(
        name=samples.name(item),
        label=samples.class_names[label],
        probability=probability,
        pixels=pixels.numpy(),
        attention=attention,
        grad_cam=evidence,
    )


def attention_map(network: Network, blocks: TokenBlocks, clips: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, t, h, w): what the last block's class token, or all its tokens, attend to."""
    seen: list[Tensor] = []
    steps, rows, columns = blocks.grid
    with (
        torch.inference_mode(),
        watched_weights(
            blocks.blocks[-1:], lambda _, weights: seen.append(looked_at(weights, blocks.num_tokens))
        ),
    ):
        network.classify(clips)
    return rearrange(torch.cat(seen), "b (t h w) -> b t h w", t=steps, h=rows, w=columns)


def _probability(checkpoint: Checkpoint, clip: Tensor, label: int) -> float:
    with torch.inference_mode():
        logits = checkpoint.model.classify(clip)
        if checkpoint.contract is None:
            return float(logits.softmax(dim=1)[0, label])
        of_fake = float(checkpoint.decision.probabilities(logits)[0])
    return of_fake if label else 1.0 - of_fake
