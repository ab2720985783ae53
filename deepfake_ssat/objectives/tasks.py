"""The tasks that stand beside a network while it trains, with heads and teachers of their own.

B batch, V views, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deepfake_ssat.models.network import FeatureMaps, FeatureNetwork, Network


class ViewTask(nn.Module, ABC):
    """A self-supervised loss between two augmented views of the same clips."""

    @abstractmethod
    def forward(self, model: FeatureNetwork, views: Tensor, progress: float) -> Tensor:
        """Views (2, B, C, T, H, W), the part of the training that is done -> the loss, in fp32."""

    def after_step(self, model: Network, progress: float) -> None:
        """Called after every step of the optimiser, with the progress before it."""


class MapTask(nn.Module, ABC):
    """A loss on what the network computed while it classified, added to the classification's."""

    weight: float

    @abstractmethod
    def forward(self, maps: FeatureMaps, clips: Tensor, generator: torch.Generator | None) -> Tensor:
        """Maps of the clips (B, C, T, H, W) -> the loss, in fp32, before its weighting."""


class Tasks(nn.Module):
    """All tasks of one objective: no part of what detects, kept in a run's state until it is finished."""

    def __init__(self, on_views: ViewTask | None, on_maps: Mapping[str, MapTask]) -> None:
        super().__init__()
        self.on_views = on_views
        self._on_maps = nn.ModuleDict(on_maps)

    @property
    def on_maps(self) -> dict[str, Any]:
        """By the name of their settings."""
        return dict(self._on_maps.items())

    def after_step(self, model: Network, progress: float) -> None:
        """To be called after every step of the optimiser."""
        if self.on_views is not None:
            self.on_views.after_step(model, progress)


@dataclass(frozen=True)
class Auxiliary:
    """What an objective with tasks reads beside clips and labels."""

    tasks: Tasks
    views: Tensor | None = None
    """(2, B, C, T, H, W), normalised; None without a task on views."""
    progress: float = 0.0
    """The part of the training that is done."""

    def compare_views(self, model: FeatureNetwork) -> Tensor:
        """The loss of the task on views."""
        assert self.tasks.on_views is not None
        return self.tasks.on_views(model, self.views, self.progress)
