"""What a block's tokens tell of each other: their distance and their variance.

B batch, N tokens of the grid, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_distances(tokens: Tensor) -> Tensor:
    """(B, N, D) -> (B,): the mean Euclidean distance between two tokens of one sample (figure 7)."""
    count = tokens.shape[1]
    # Around their mean: the fast way of cdist loses digits where distances are small beside the lengths.
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    return torch.cdist(centred, centred).sum(dim=(1, 2)) / (count * (count - 1))


def feature_variances(tokens: Tensor) -> Tensor:
    """(B, N, D) -> (B,): the variance over the positions, the mean over the channels (figure 8).

    As Park and Kim measure it (How Do Vision Transformers Work?, ICLR 2022).
    """
    return tokens.var(dim=1).mean(dim=-1)
