"""Locality guidance (Li et al., ECCV 2022): blocks imitate the maps of a trained light CNN.

B batch, C channels, H W pixels, D width of the transformer, F features of a stage of the CNN.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config import GuidanceSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.light_cnn import LightCnn
from deepfake_ssat.models.network import FeatureMaps, Network
from deepfake_ssat.models.pixels import denormalize, normalize
from deepfake_ssat.objectives.tasks import MapTask


class Guidance(MapTask):
    """The CNN stands still; linear maps of the chosen blocks are to equal its stages, one after the other."""

    def __init__(self, model: Network, feature_width: int, settings: GuidanceSettings) -> None:
        super().__init__()
        self.weight = settings.weight
        self._blocks = settings.blocks
        self._pixels = model.settings
        self.teacher = _teacher(settings, model)
        self.teacher.requires_grad_(False)
        self.maps = nn.ModuleList(
            nn.Conv2d(feature_width, width, kernel_size=1) for width in self.teacher.stage_widths
        )
        self.train(self.training)

    def train(self, mode: bool = True) -> Guidance:
        """The CNN's batch normalisation keeps its statistics."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, maps: FeatureMaps, clips: Tensor, generator: torch.Generator | None) -> Tensor:
        """Clips of one frame (B, C, 1, H, W); the sum over the stages of the mean squared difference."""
        pixels = denormalize(clips[:, :, 0], self._pixels)
        side = self.teacher.settings.image_size
        pictures = F.interpolate(pixels, (side, side), mode="bilinear", align_corners=False)
        with torch.no_grad():
            stages = self.teacher.stage_maps(normalize(pictures, self.teacher.settings))
        blocks = [maps.blocks[index][:, :, 0] for index in self._blocks]
        losses = [
            imitation_loss(linear(block), stage)
            for linear, block, stage in zip(self.maps, blocks, stages, strict=True)
        ]
        return torch.stack(losses).sum()


def imitation_loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """(B, F, h, w), (B, F, h', w') -> mean squared difference, both brought to the larger grid."""
    size = [max(sides) for sides in zip(ours.shape[-2:], theirs.shape[-2:], strict=True)]
    ours, theirs = (
        F.interpolate(each.float(), size, mode="bilinear", align_corners=False) for each in (ours, theirs)
    )
    return F.mse_loss(ours, theirs)


def _teacher(settings: GuidanceSettings, model: Network) -> LightCnn:
    """Raises CheckpointError or ConfigError where the file is not a light CNN for the same pictures."""
    teacher = load_checkpoint(settings.teacher).model
    if not isinstance(teacher, LightCnn):
        raise ConfigError(
            f"objective.guidance.teacher {settings.teacher}: is of kind {teacher.settings.kind}, guidance "
            "needs a light_cnn; train one with configs/image_light_cnn_cifar10.yaml"
        )
    if teacher.settings.channels != model.settings.channels:
        raise ConfigError(
            f"objective.guidance.teacher {settings.teacher}: reads {teacher.settings.channels} channels, the "
            f"model {model.settings.channels}; train one with model.channels={model.settings.channels}"
        )
    if len(settings.blocks) != len(teacher.stage_widths):
        raise ConfigError(
            f"objective.guidance.blocks {list(settings.blocks)}: the teacher has {len(teacher.stage_widths)} "
            "stages, name a block for each"
        )
    return teacher
