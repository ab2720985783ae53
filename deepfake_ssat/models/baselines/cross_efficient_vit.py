"""Cross-Efficient-ViT: two transformers over an EfficientNet's small and large patches that exchange.

Coccomini, Messina, Gennaro, Falchi, "Combining EfficientNet and Vision Transformers for Video Deepfake
Detection" (ICIAP 2022), on the cross-attention of CrossViT (Chen, Fan, Panda, ICCV 2021). Written from the
papers, with this project's blocks: their attention has heads of 64 channels, here a head has width / heads.

B batch, C channels, T frames, H W pixels, N pictures, F features, h w cells, P patches, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.baselines import BranchSettings, CrossEfficientVitSettings
from deepfake_ssat.models.attention import attend
from deepfake_ssat.models.baselines.backbone import (
    coarse_layers,
    cut_backbone,
    frame_evidence,
    mean_over_frames,
    spread_frames,
)
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import Network

NORM_EPS = 1e-6


class Branch(nn.Module):
    """A map of its own EfficientNet, cut into patches, with a class token and learned positions."""

    def __init__(self, settings: CrossEfficientVitSettings, branch: BranchSettings):
        super().__init__()
        self.patch = branch.patch
        self.backbone: Any
        self.backbone, num_features = cut_backbone(settings.backbone, settings.channels, branch.stride)
        self.embed = nn.Linear(num_features * branch.patch**2, branch.width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, branch.width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + settings.num_patches(branch), branch.width))
        self.dropout = nn.Dropout(settings.dropout)
        self.head_norm = nn.LayerNorm(branch.width, eps=NORM_EPS)
        self.head = nn.Linear(branch.width, settings.num_classes)
        if not self.head.weight.is_meta:
            nn.init.normal_(self.class_token, std=0.02)
            nn.init.normal_(self.positions, std=0.02)

    def tokens(self, maps: Tensor) -> Tensor:
        """(N, F, h, w) -> (N, 1 + P, D)."""
        patches = rearrange(maps, "n f (h p) (w q) -> n (h w) (p q f)", p=self.patch, q=self.patch)
        tokens = self.embed(patches)
        class_token = self.class_token.expand(tokens.shape[0], -1, -1).to(tokens.dtype)
        return self.dropout(torch.cat([class_token, tokens], dim=1) + self.positions)

    def logits(self, tokens: Tensor) -> Tensor:
        """(N, 1 + P, D) -> (N, classes), from the class token."""
        return full_logits(self.head, self.dropout(self.head_norm(tokens[:, 0])))


class Exchange(nn.Module):
    """One branch's class token looks at itself and at the patches of the other branch, in their width."""

    def __init__(self, own_width: int, other_width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(own_width, other_width)
        self.norm = nn.LayerNorm(other_width, eps=NORM_EPS)
        self.query = nn.Linear(other_width, other_width)
        self.key_value = nn.Linear(other_width, 2 * other_width)
        self.leave = nn.Linear(other_width, own_width)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """Class token (N, 1, D), patches of the other branch (N, P, D') -> class token (N, 1, D)."""
        entered = self.norm(self.enter(own))
        query = rearrange(self.query(entered), "n p (h e) -> n h p e", h=self.heads)
        key_value = self.key_value(torch.cat([entered, other.to(entered.dtype)], dim=1))
        key, value = rearrange(key_value, "n p (two h e) -> two n h p e", two=2, h=self.heads)
        return own + self.leave(attend(query, key, value))


class Round(nn.Module):
    """Each branch through its own blocks, then their class tokens exchange."""

    def __init__(self, settings: CrossEfficientVitSettings):
        super().__init__()
        small, large = settings.small, settings.large
        self.small_blocks, self.large_blocks = _blocks(small), _blocks(large)
        self.small_exchanges = _exchanges(small, large, settings)
        self.large_exchanges = _exchanges(large, small, settings)

    def forward(self, small: Tensor, large: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1 + P, D) and (N, 1 + P', D') -> the same shapes."""
        small, large = self.small_blocks(small), self.large_blocks(large)
        small_class, small_patches = small.tensor_split([1], dim=1)
        large_class, large_patches = large.tensor_split([1], dim=1)
        for to_large, to_small in zip(self.small_exchanges, self.large_exchanges, strict=True):
            small_class = to_large(small_class, large_patches)
            large_class = to_small(large_class, small_patches)
        return torch.cat([small_class, small_patches], dim=1), torch.cat([large_class, large_patches], dim=1)


class CrossEfficientVit(Network):
    """Frames -> logits of two branches, added; the mean over a clip's frames."""

    settings: CrossEfficientVitSettings

    def __init__(self, settings: CrossEfficientVitSettings):
        super().__init__()
        self.settings = settings
        self.small = Branch(settings, settings.small)
        self.large = Branch(settings, settings.large)
        self.rounds = nn.ModuleList(Round(settings) for _ in range(settings.rounds))

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, classes), the mean over ``frames_used`` frames."""
        logits = self.classify_frames(spread_frames(clips, self.settings))
        return mean_over_frames(logits, self.settings.frames_used)

    def self_test_logits(self, clips: Tensor) -> Tensor:
        """A clip's frames go through the same weights one by one: one of them suffices."""
        return self.classify_frames(clips[:, :, 0])

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) -> (B, frames_used, h, w) >= 0: Grad-CAM on the map of the small branch."""
        return frame_evidence(clips, self.settings, self.feature_maps, self.classify_maps, classes)

    def classify_frames(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        return self.classify_maps(self.feature_maps(frames))

    def feature_maps(self, frames: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) -> the maps (N, F, h, w) of the small and the large branch."""
        return tuple(branch.backbone.forward_features(frames) for branch in (self.small, self.large))

    def classify_maps(self, maps: tuple[Tensor, ...]) -> Tensor:
        """What ``feature_maps`` gave -> logits (N, classes)."""
        small, large = self.small.tokens(maps[0]), self.large.tokens(maps[1])
        for layer in self.rounds:
            small, large = layer(small, large)
        return self.small.logits(small) + self.large.logits(large)

    def backbones(self) -> dict[str, nn.Module]:
        """By the name of its place, what published weights of the backbone start."""
        return {"small.backbone": self.small.backbone, "large.backbone": self.large.backbone}

    def published_head(self) -> None:
        """None: each branch has a head of its own, which no published backbone knows."""

    def layer_numbers(self) -> dict[str, int]:
        """By name of a parameter, its layer, counted from the pixels: stages, embedding, rounds."""
        numbers = {
            f"{place}.{name}": stage
            for place, backbone in self.backbones().items()
            for name, stage in coarse_layers(backbone).items()
        }
        embedding = max(numbers.values()) + 1
        for name, _ in self.named_parameters():
            if name.startswith("rounds."):
                numbers[name] = embedding + 1 + int(name.split(".")[1])
            elif ".head" not in name:
                numbers.setdefault(name, embedding)
        return numbers


def _blocks(branch: BranchSettings) -> nn.Sequential:
    return nn.Sequential(
        *(
            Block(
                branch.width,
                branch.heads,
                mlp_ratio=branch.mlp_width / branch.width,
                qkv_bias="qkv",
                norm_eps=NORM_EPS,
            )
            for _ in range(branch.depth)
        )
    )


def _exchanges(
    own: BranchSettings, other: BranchSettings, settings: CrossEfficientVitSettings
) -> nn.ModuleList:
    return nn.ModuleList(
        Exchange(own.width, other.width, settings.cross_heads) for _ in range(settings.cross_depth)
    )
