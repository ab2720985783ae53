"""What the decoder is asked to predict, and its predictions turned back into a picture.

B batch, C channels, T frames, H W pixels, N tokens, M hidden ones, P patch values.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from deepfake_ssat.config.hierarchical import PatchSettings
from deepfake_ssat.models.patches import patchify, split_tokens, take_tokens, unpatchify
from deepfake_ssat.models.pixels import denormalize

TargetConvention = Literal["videomae", "mae"]


class PatchStatistics(NamedTuple):
    """How normalised patches become pixels again: times scale, plus offset; broadcast to (B, N, P)."""

    offset: Tensor
    scale: Tensor


def reconstruction_target(
    clips: Tensor, settings: PatchSettings, *, normalize: bool, convention: TargetConvention
) -> tuple[Tensor, PatchStatistics]:
    """(B, C, T, H, W) as the network reads them -> (B, N, P) float32, and how to undo its normalisation.

    ``videomae``: pixels in [0, 1]; normalised per patch and channel by mean and (std + 1e-6).
    ``mae``: the network's own input; normalised per patch over all values by mean and sqrt(variance + 1e-6).
    Both take the unbiased variance, as the authors' code does.
    """
    pixels = clips.float() if convention == "mae" else denormalize(clips.float(), settings)
    patches = patchify(pixels, settings.tubelet, settings.patch)
    if not normalize:
        return patches, PatchStatistics(patches.new_zeros(()), patches.new_ones(()))
    if convention == "mae":
        offset = patches.mean(dim=-1, keepdim=True)
        scale = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
    else:
        channels = rearrange(patches, "b n (k c) -> b n k c", c=settings.channels)
        values = channels.shape[2]
        mean = channels.mean(dim=2, keepdim=True)
        # torch.std over a dimension that is not innermost takes 8 times as long on CPUs.
        std = ((channels - mean).square().sum(dim=2) / (values - 1)).sqrt()
        offset, scale = mean.squeeze(2).repeat(1, 1, values), (std + 1e-6).repeat(1, 1, values)
    return (patches - offset) / scale, PatchStatistics(offset, scale)


def reconstructed_pixels(
    clips: Tensor,
    mask: Tensor,
    predictions: Tensor,
    settings: PatchSettings,
    *,
    normalize: bool,
    convention: TargetConvention,
) -> Tensor:
    """Clips (B, C, T, H, W), mask (B, N), predictions (B, M, P) -> (B, C, T, H, W) in [0, 1], for the eye.

    Visible patches are the input's own; a normalised prediction takes its patch's true mean and scale.
    """
    target, statistics = reconstruction_target(clips, settings, normalize=normalize, convention=convention)
    _, hidden = split_tokens(mask)
    patches = target.scatter(1, hidden.unsqueeze(-1).expand_as(predictions), predictions.float())
    patches = patches * statistics.scale + statistics.offset
    pixels = unpatchify(patches, settings.grid, settings.tubelet, settings.patch)
    if convention == "mae":
        pixels = denormalize(pixels, settings)
    return pixels.clamp(0.0, 1.0)


def reconstruction_errors(predictions: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Predictions (B, M, P), target (B, N, P), mask (B, N) -> squared error of each hidden token (B, M)."""
    _, hidden = split_tokens(mask)
    return torch.square(predictions.float() - take_tokens(target, hidden)).mean(dim=-1)
