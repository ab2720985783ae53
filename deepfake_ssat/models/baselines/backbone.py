"""Convolutional networks of timm as feature extractors of single frames.

B batch, C channels, T frames, H W pixels, N pictures, F features, h w cells.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.baselines import CrossEfficientVitSettings, FrameClassifierSettings
from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.timm_library import require_timm


def create_backbone(name: str, channels: int, drop_path: float = 0.0) -> Any:
    """A network of timm without classifier, random weights; nothing is downloaded.

    Raises ConfigError for a name that timm does not know, and where timm is not installed.
    """
    require_timm(f"model.backbone {name}")
    import timm

    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ConfigError(
            f"model.backbone {name} is not known to timm {timm.__version__}"
            f"{'; did you mean ' + ' or '.join(close) + '?' if close else ''}"
        )
    options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    try:
        return timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels, **options)
    except TypeError as error:
        raise ConfigError(
            f"model.backbone {name} cannot be built so ({' '.join(str(error).split())}); set "
            "model.drop_path to 0, or take a convolutional network such as tf_efficientnet_b7"
        ) from error


def cut_backbone(name: str, channels: int, stride: int) -> tuple[nn.Module, int]:
    """An EfficientNet up to its last map of ``stride`` pixels a cell, and that map's features F.

    At the network's largest stride it is the whole of it, the last convolution included.
    """
    backbone = create_backbone(name, channels)
    stages = [(stage["reduction"], stage["num_chs"]) for stage in backbone.feature_info]
    strides = [reduction for reduction, _ in stages]
    if not hasattr(backbone, "conv_head") or not hasattr(backbone, "prune_intermediate_layers"):
        raise ConfigError(f"model.backbone {name} is no EfficientNet; take one, such as efficientnet_b0")
    if stride not in strides:
        raise ConfigError(
            f"model.backbone {name} has no map with stride {stride}; it has "
            f"{', '.join(map(str, sorted(set(strides))))}"
        )
    if stride == max(strides):
        return backbone, backbone.num_features
    stage = strides.index(stride)
    backbone.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
    return backbone, stages[stage][1]


def spread_frames(clips: Tensor, settings: FrameClassifierSettings | CrossEfficientVitSettings) -> Tensor:
    """(B, C, T, H, W) -> (B frames_used, C, H, W): frames from the middles of equal parts of each clip."""
    needed = (settings.channels, settings.frames, settings.image_size, settings.image_size)
    if clips.ndim != 5 or tuple(clips.shape[1:]) != needed:
        raise ValueError(f"clips are {tuple(clips.shape)}, the model reads (batch, {str(needed)[1:]}")
    if settings.frames_used < settings.frames:
        middles = (np.arange(settings.frames_used) + 0.5) * settings.frames / settings.frames_used
        clips = clips[:, :, torch.as_tensor(middles.astype(int), device=clips.device)]
    return rearrange(clips, "b c t h w -> (b t) c h w")


def frame_evidence(
    clips: Tensor,
    settings: FrameClassifierSettings | CrossEfficientVitSettings,
    maps_of: Callable[[Tensor], tuple[Tensor, ...]],
    logits_of: Callable[[tuple[Tensor, ...]], Tensor],
) -> Tensor:
    """(B, C, T, H, W) -> (B, frames_used, h, w) >= 0: Grad-CAM on the first map of each judged frame.

    ``maps_of`` takes frames (N, C, H, W), ``logits_of`` its maps. Raises CheckpointError for a backbone whose
    features are no map.
    """

    def features_of(clips: Tensor) -> tuple[Tensor, ...]:
        maps = maps_of(spread_frames(clips, settings))
        if maps[0].ndim != 4:
            raise CheckpointError(f"backbone {settings.backbone} has no maps of features to explain by")
        return maps

    evidence = activation_times_gradient(clips, features_of, lambda *maps: logits_of(maps))
    # A clip's logits are the mean over its frames.
    cells = (evidence.sum(dim=1) / settings.frames_used).clamp_min(0.0)
    return rearrange(cells, "(b t) h w -> b t h w", t=settings.frames_used)


def mean_over_frames(logits: Tensor, frames_used: int) -> Tensor:
    """(B frames_used, classes) -> (B, classes)."""
    return rearrange(logits, "(b t) k -> b t k", t=frames_used).mean(dim=1)


def coarse_layers(backbone: Any) -> dict[str, int]:
    """By name of a parameter, the stage it is in: 0 of the stem, then as timm groups them."""
    from timm.models import group_parameters

    return group_parameters(backbone, backbone.group_matcher(coarse=True), reverse=True)
