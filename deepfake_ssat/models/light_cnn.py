"""ResNet for small pictures (He et al. 2016, section 4.2): the light CNN of locality guidance.

B batch, C channels, T frames, H W pixels, F features, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config.light_cnn import LightCnnSettings
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import Network


class LightCnn(Network):
    """A convolution, three stages of n blocks at full, half and quarter size, mean, one linear layer."""

    settings: LightCnnSettings

    def __init__(self, settings: LightCnnSettings):
        super().__init__()
        self.settings = settings
        blocks = (settings.depth - 2) // 6
        self.stage_widths = tuple(settings.width * factor for factor in (1, 2, 4))
        self.stem = nn.Conv2d(settings.channels, settings.width, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(settings.width)
        stages, before = [], settings.width
        for number, width in enumerate(self.stage_widths):
            widths = [before, *[width] * blocks]
            stages.append(
                nn.Sequential(
                    *(
                        ResidualBlock(widths[index], width, stride=2 if number and not index else 1)
                        for index in range(blocks)
                    )
                )
            )
            before = width
        self.stages = nn.ModuleList(stages)
        self.head = nn.Linear(before, settings.num_classes)

    def stage_maps(self, pictures: Tensor) -> list[Tensor]:
        """(B, C, H, W), normalised -> (B, F, h, w) behind each stage."""
        maps = [F.relu(self.stem_norm(self.stem(pictures)))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> logits (B, K)."""
        return self._logits(self.stage_maps(clips[:, :, 0])[-1])

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, 1, H, W) -> (B, 1, h, w) >= 0: Grad-CAM at the last stage."""
        evidence = activation_times_gradient(
            clips, lambda clips: (self.stage_maps(clips[:, :, 0])[-1],), self._logits, classes
        )
        return evidence.sum(dim=1, keepdim=True).clamp_min(0.0)

    def layer_numbers(self) -> dict[str, int]:
        """0 of the first convolution, then a number a stage, by name of a parameter."""
        names = [name for name, _ in self.named_parameters() if not name.startswith("head.")]
        return {name: int(name.split(".")[1]) + 1 if name.startswith("stages.") else 0 for name in names}

    def _logits(self, maps: Tensor) -> Tensor:
        return full_logits(self.head, maps.mean(dim=(2, 3)))


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3 beside the identity, or a convolution of 1 x 1 where the size changes."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        changes = stride != 1 or before != width
        self.shortcut = nn.Conv2d(before, width, 1, stride=stride, bias=False) if changes else nn.Identity()
        self.shortcut_norm = nn.BatchNorm2d(width) if changes else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(B, F, h, w) -> (B, width, h / stride, w / stride)."""
        inner = F.relu(self.first_norm(self.first(maps)))
        inner = self.second_norm(self.second(inner))
        return F.relu(inner + self.shortcut_norm(self.shortcut(maps)))
