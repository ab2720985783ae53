"""Dense relative localisation (Liu et al., NeurIPS 2021): how far two tokens lie apart, from what they hold.

B batch, C channels, T frames, H W pixels, D width, t h w grid, M pairs.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config import RelativeLocalisationSettings
from deepfake_ssat.models.network import FeatureMaps
from deepfake_ssat.objectives.tasks import MapTask


class RelativeLocalisation(MapTask):
    """Two tokens of the final map -> three layers -> the distance of their cells; ℒ_drloc is its L1 error."""

    def __init__(self, feature_width: int, settings: RelativeLocalisationSettings) -> None:
        super().__init__()
        self.weight = settings.weight
        self._pairs = settings.pairs
        hidden = settings.hidden_width
        self.head = nn.Sequential(
            nn.Linear(2 * feature_width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, maps: FeatureMaps, clips: Tensor, generator: torch.Generator | None) -> Tensor:
        """Every time step of a clip is a picture of its own."""
        pictures = rearrange(maps.final, "b d t h w -> (b t) h w d")
        grid = (pictures.shape[1], pictures.shape[2])
        cells = draw_pairs(len(pictures), grid, self._pairs, generator, clips.device)
        index = torch.arange(len(pictures), device=clips.device).unsqueeze(1)
        first, second = (pictures[index, pair[..., 0], pair[..., 1]] for pair in cells)
        predictions = self.head(torch.cat([first, second], dim=-1)).float()
        return F.l1_loss(predictions, distances(cells, grid))


def draw_pairs(
    count: int,
    grid: tuple[int, int],
    pairs: int,
    generator: torch.Generator | None,
    device: torch.device,
) -> Tensor:
    """Cells of M random pairs in each picture: (2, count, M, 2) of row and column.

    The draw is made on the generator's device, so that a seed gives the same pairs on every accelerator.
    """
    where = generator.device if generator else device
    shape = (2, count, pairs)
    rows, columns = (torch.randint(side, shape, generator=generator, device=where) for side in grid)
    return torch.stack([rows, columns], dim=-1).to(device)


def distances(cells: Tensor, grid: tuple[int, int]) -> Tensor:
    """(2, count, M, 2) -> (count, M, 2): rows and columns between both, as parts of the largest distance."""
    largest = torch.tensor([side - 1 for side in grid], device=cells.device)
    return (cells[0] - cells[1]).abs() / largest
