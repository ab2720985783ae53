"""What attention weights tell: which tokens are attended to, and from how far.

B batch, h heads, N tokens of the grid, C tokens before them (a class token or none); t h w of the grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepfake_ssat.models.blocks import TokenBlocks


def attention_received(weights: Tensor) -> Tensor:
    """(B, h, C + N, C + N) -> (B, C + N): the sum of each token's column, the mean over heads (figure 6).

    1 is what every token would receive if all were attended to equally.
    """
    return weights.sum(dim=-2).mean(dim=1)


def attention_distances(weights: Tensor, distances: Tensor) -> Tensor:
    """(B, h, C + N, C + N), (N, N) -> (B, h): how far away a token of the grid looks, on average.

    As in the ViT's paper (Dosovitskiy et al., ICLR 2021, appendix D.7): distances weighted by attention, the
    mean over the tokens that look. What is paid to a class token counts as paid to nobody.
    """
    num_tokens = len(distances)
    within = weights[..., -num_tokens:, -num_tokens:]
    return ((within * distances).sum(dim=-1) / within.sum(dim=-1)).mean(dim=-1)


def cell_distances(blocks: TokenBlocks) -> tuple[Tensor, Tensor]:
    """Between any two tokens (N, N): pixels between their patches' centres, frames between their times."""
    steps, rows, columns = (torch.arange(count, dtype=torch.float32) for count in blocks.grid)
    step, row, column = (axis.flatten() for axis in torch.meshgrid(steps, rows, columns, indexing="ij"))
    across, down, later = (torch.abs(axis[:, None] - axis[None]) for axis in (column, row, step))
    return blocks.patch * torch.hypot(across, down), blocks.tubelet * later


def looked_at(weights: Tensor, num_tokens: int) -> Tensor:
    """(B, h, C + N, C + N) -> (B, N): what the class token attends to, the mean over heads (figure 12).

    With mean pooling there is no such token, and what all tokens together attend to is taken instead.
    """
    if weights.shape[-1] > num_tokens:
        return weights[:, :, 0, -num_tokens:].mean(dim=1)
    return attention_received(weights)
