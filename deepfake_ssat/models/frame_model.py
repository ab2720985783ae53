"""EfficientNet-Lite0 on single frames, its logits averaged over a clip: the light frame model.

B batch, C channels, T frames, H W pixels, N pictures, F features, h w cells of 32 x 32 pixels, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfake_ssat.config.frame_model import FrameModelSettings
from deepfake_ssat.config.model import STEM_CHANNELS
from deepfake_ssat.models.baselines.backbone import frame_evidence, mean_over_frames, spread_frames
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import Network


class FrameModel(Network):
    """Frames -> cells of features -> their mean -> logits, the mean over a clip's frames."""

    settings: FrameModelSettings

    def __init__(self, settings: FrameModelSettings):
        super().__init__()
        self.settings = settings
        self.stem = EfficientNetLite()
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(STEM_CHANNELS, settings.num_classes)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, K), the mean over ``frames_used`` frames."""
        (features,) = self._maps(spread_frames(clips, self.settings))
        return mean_over_frames(self._logits((features,)), self.settings.frames_used)

    def self_test_logits(self, clips: Tensor) -> Tensor:
        """A clip's frames go through the same weights one by one: one of them suffices."""
        return self._logits(self._maps(clips[:, :, 0]))

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) -> (B, frames_used, h, w) >= 0: Grad-CAM on the last features."""
        return frame_evidence(clips, self.settings, self._maps, self._logits, classes)

    def layer_numbers(self) -> dict[str, int]:
        """0 of the first convolution, 1 … of the blocks, by name of a parameter; the head is behind them."""
        numbers: dict[str, int] = {}
        for name, _ in self.named_parameters():
            if name.startswith("stem.stem."):
                numbers[name] = 0
            elif name.startswith("stem.blocks."):
                numbers[name] = int(name.split(".")[2]) + 1
        return numbers

    def convolutional_stem(self) -> EfficientNetLite:
        """All but the head."""
        return self.stem

    def _maps(self, frames: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) -> (N, F, h, w)."""
        # Channels last: on a CPU twice as fast.
        return (self.stem(frames.contiguous(memory_format=torch.channels_last)),)

    def _logits(self, maps: tuple[Tensor, ...]) -> Tensor:
        """(N, F, h, w) -> (N, K)."""
        return full_logits(self.head, self.dropout(maps[0].mean((2, 3))))
