"""Between stored pixels and what the network reads: scaling to [0, 1], mean and standard deviation.

B batch, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepfake_ssat.config.baselines import NetworkSettings


def normalize_pixels(pixels: Tensor, settings: NetworkSettings) -> Tensor:
    """(B, T, H, W, C) uint8 -> (B, C, T, H, W) float32, on the pixels' device.

    The result is a view with the channels innermost in memory, the order in which patches are cut.
    """
    mean, std = _statistics(settings, pixels)
    scaled = torch.addcmul(-mean / std, pixels.to(torch.float32), 1.0 / (255.0 * std))
    return scaled.permute(0, 4, 1, 2, 3)


def normalize(clips: Tensor, settings: NetworkSettings) -> Tensor:
    """(B, C, ..., H, W) in [0, 1] -> the same as the network reads them."""
    mean, std = _statistics(settings, clips)
    return ((clips.movedim(1, -1) - mean) / std).movedim(-1, 1)


def denormalize(clips: Tensor, settings: NetworkSettings) -> Tensor:
    """(B, C, ..., H, W) as the network reads them -> the same in [0, 1], not clipped."""
    mean, std = _statistics(settings, clips)
    return (clips.movedim(1, -1) * std.to(clips.dtype) + mean.to(clips.dtype)).movedim(-1, 1)


def _statistics(settings: NetworkSettings, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (C,) or (1,), on the device of a tensor."""
    mean = torch.tensor(settings.mean, dtype=torch.float32, device=like.device)
    std = torch.tensor(settings.std, dtype=torch.float32, device=like.device)
    return mean, std
