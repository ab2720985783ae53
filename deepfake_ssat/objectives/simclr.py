"""SimCLR (Chen et al., ICML 2020): two views of a clip agree, and differ from those of all other clips.

B batch, C channels, T frames, H W pixels, N clips of all processes, P projection width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F

from deepfake_ssat.config import SimclrSettings
from deepfake_ssat.models.network import FeatureNetwork
from deepfake_ssat.objectives.tasks import ViewTask


class Simclr(ViewTask):
    """A projection head of two layers, and NT-Xent over the clips of all processes.

    The head is the paper's, W2 ReLU(W1 h): without the batch normalisation of their code, whose statistics
    would be those of one process.
    """

    def __init__(self, feature_width: int, settings: SimclrSettings) -> None:
        super().__init__()
        self._temperature = settings.temperature
        self.head = nn.Sequential(
            nn.Linear(feature_width, feature_width),
            nn.ReLU(),
            nn.Linear(feature_width, settings.projection_width),
        )

    def forward(self, model: FeatureNetwork, views: Tensor, progress: float) -> Tensor:
        """Views (2, B, C, T, H, W) -> the mean loss of both views of each clip."""
        projections = self.head(model.features(views.flatten(0, 1))).float()
        first, second = F.normalize(projections, dim=1).chunk(2)
        # In validation processes may have different numbers of batches: each looks at its own alone.
        return nt_xent(first, second, self._temperature, gather=self.training)


def nt_xent(first: Tensor, second: Tensor, temperature: float, *, gather: bool = False) -> Tensor:
    """Unit vectors (B, P) of two views -> the normalised, temperature-scaled cross-entropy (their eq. 1).

    Each vector has to be told, among the 2 N - 1 others, the one of its own clip. With ``gather`` the others
    are those of all processes, with gradients; the mean over the processes is then the loss of one batch.
    """
    offset = 0
    all_first, all_second = first, second
    if gather and torch.distributed.is_initialized():
        all_first, all_second = torch.cat(all_gather(first)), torch.cat(all_gather(second))
        offset = torch.distributed.get_rank() * len(first)
    own = torch.arange(len(first), device=first.device) + offset
    count = len(all_first)
    with torch.autocast(first.device.type, enabled=False):
        similarities = torch.cat([first, second]) @ torch.cat([all_first, all_second]).T / temperature
        itself = torch.cat([own, own + count]).unsqueeze(1)
        similarities = similarities.scatter(1, itself, float("-inf"))
        return F.cross_entropy(similarities, torch.cat([own + count, own]))
