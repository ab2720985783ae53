"""One network of timm on single frames, its logits averaged over a clip: the DFDC winner's classifier.

Seferbekov, first place of the Deepfake Detection Challenge (2020): EfficientNet-B7, global average pooling,
dropout, one linear layer. B batch, C channels, T frames, H W pixels, N pictures, F features, h w cells.
"""

from __future__ import annotations

from torch import Tensor, nn

from deepfake_ssat.config.baselines import FrameClassifierSettings
from deepfake_ssat.models.baselines.backbone import (
    coarse_layers,
    create_backbone,
    frame_evidence,
    mean_over_frames,
    spread_frames,
)
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import Network


class FrameClassifier(Network):
    """Frames -> maps of the backbone -> pooled features -> logits, the mean over a clip's frames."""

    settings: FrameClassifierSettings

    def __init__(self, settings: FrameClassifierSettings):
        super().__init__()
        self.settings = settings
        self.backbone = create_backbone(settings.backbone, settings.channels, settings.drop_path)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(self.backbone.head_hidden_size, settings.num_classes)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, classes), the mean over ``frames_used`` frames."""
        logits = self.classify_frames(spread_frames(clips, self.settings))
        return mean_over_frames(logits, self.settings.frames_used)

    def self_test_logits(self, clips: Tensor) -> Tensor:
        """A clip's frames go through the same weights one by one: one of them suffices."""
        return self.classify_frames(clips[:, :, 0])

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) -> (B, frames_used, h, w) >= 0: Grad-CAM on the map of the backbone."""
        return frame_evidence(clips, self.settings, self.feature_maps, self.classify_maps, classes)

    def classify_frames(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        return self.classify_maps(self.feature_maps(frames))

    def feature_maps(self, frames: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) -> the backbone's last map (N, F, h, w)."""
        return (self.backbone.forward_features(frames),)

    def classify_maps(self, maps: tuple[Tensor, ...]) -> Tensor:
        """What ``feature_maps`` gave -> logits (N, classes)."""
        return full_logits(self.head, self.dropout(self.backbone.forward_head(maps[0], pre_logits=True)))

    def backbones(self) -> dict[str, nn.Module]:
        """By the name of its place, what published weights of the backbone start."""
        return {"backbone": self.backbone}

    def published_head(self) -> nn.Linear:
        """``head``, which a published classifier of the same features can start."""
        return self.head

    def layer_numbers(self) -> dict[str, int]:
        """By name of a parameter, its stage, counted from the pixels; those of the head are left out."""
        return {f"backbone.{name}": stage for name, stage in coarse_layers(self.backbone).items()}
