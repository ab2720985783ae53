"""The transformer block of ViT, MAE and VideoMAE: pre-norm attention and MLP with stochastic depth.

B batch, N tokens, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from deepfake_ssat.models.attention import QkvBias, SelfAttention


class Block(nn.Module):
    """Attention, then MLP, each behind a LayerNorm and added to its input."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        mlp_ratio: float,
        qkv_bias: QkvBias,
        norm_eps: float,
        drop_path: float = 0.0,
        locality: bool = False,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attention = SelfAttention(width, heads, qkv_bias, locality=locality)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, round(width * mlp_ratio))
        self.drop_path = drop_path
        self.recomputed = False
        """Whether training keeps its input alone, and computes what is inside anew for the gradient."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        if self.recomputed and self.training:
            return checkpoint(self._transformed, tokens, use_reentrant=False)
        return self._transformed(tokens)

    def _transformed(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._drop(self.attention(self.norm1(tokens)))
        return tokens + self._drop(self.mlp(self.norm2(tokens)))

    def _drop(self, branch: Tensor) -> Tensor:
        return drop_path(branch, self.drop_path) if self.training and self.drop_path else branch


@dataclass(frozen=True)
class TokenBlocks:
    """The blocks of a plain transformer, which all read the same grid of tokens."""

    blocks: Sequence[Block]
    """In order."""
    grid: tuple[int, int, int]
    """Tokens over time, height and width: the last ones of each block's."""
    tubelet: int
    """Frames under a token."""
    patch: int
    """Side of a token's patch in pixels."""

    @property
    def num_tokens(self) -> int:
        """Of the grid; a class token comes before them."""
        steps, rows, columns = self.grid
        return steps * rows * columns


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        return self.fc2(F.gelu(self.fc1(tokens)))


def drop_path(branch: Tensor, rate: float) -> Tensor:
    """(B, N, D) -> (B, N, D): each clip's branch is zero with probability ``rate``, else scaled up.

    The same as torchvision's ``stochastic_depth`` by row, without its second of import in ``detect``.
    """
    keep = 1.0 - rate
    kept = torch.empty(branch.shape[0], 1, 1, dtype=branch.dtype, device=branch.device).bernoulli_(keep)
    return branch * (kept / keep)
