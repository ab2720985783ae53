"""The encoder of CvT: stages of attention whose queries, keys and values are made by convolutions.

Wu et al., ICCV 2021. Where patches are hidden, every convolution reads zeros there, and attention passes over
keys that read nothing else (masked convolutions as in ConvMAE, Gao et al., NeurIPS 2022): nothing leaks.
B batch, C channels, H W pixels, h w cells of a stage, N = h w tokens, K keys, D width.
"""

from __future__ import annotations

from typing import cast

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config.hierarchical import CvtSettings
from deepfake_ssat.models.blocks import Mlp, drop_path

KERNEL = 3
"""Side of the depthwise convolutions in front of queries, keys and values."""
KEY_STRIDE = 2
"""Cells for each key along one side; every cell has a query."""
MOMENTUM = 0.1
"""Of running statistics: torch's own."""


class CvtEncoder(nn.Module):
    """Pictures -> the maps of all stages but the last, and the tokens of the last, its class token first."""

    def __init__(self, settings: CvtSettings):
        super().__init__()
        self.settings = settings
        self.stages = nn.ModuleList(Stage(settings, number) for number in range(len(settings.depths)))
        self.class_token = nn.Parameter(torch.zeros(1, 1, settings.widths[-1]))

    def forward(self, pictures: Tensor, visible: Tensor | None = None) -> tuple[list[Tensor], Tensor]:
        """(B, C, H, W) [, visible patches (B, N) bool] -> [(B, D, h, w), …], (B, 1 + N, D)."""
        maps, tokens = self.before_last_block(pictures, visible)
        return maps, self.last_block(tokens, visible)

    def before_last_block(
        self, pictures: Tensor, visible: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """As ``forward``, without the last block."""
        maps: list[Tensor] = []
        cells, shown = pictures, self._shown(visible, self.settings.image_size)
        *earlier, last = cast("list[Stage]", list(self.stages))
        for stage in earlier:
            tokens, shown = stage.embed(cells, shown), self._shown(visible, stage.side)
            for block in stage.blocks:
                tokens = block(tokens, shown)
            cells = rearrange(tokens, "b (h w) d -> b d h w", h=stage.side)
            maps.append(cells)
        tokens, shown = last.embed(cells, shown), self._shown(visible, last.side)
        tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], dim=1)
        for block in last.blocks[:-1]:
            tokens = block(tokens, shown)
        return maps, tokens

    def last_block(self, tokens: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, 1 + N, D) [, (B, N) bool] -> (B, 1 + N, D)."""
        last = cast(Stage, self.stages[-1])
        return last.blocks[-1](tokens, self._shown(visible, last.side))

    def _shown(self, visible: Tensor | None, side: int) -> Tensor | None:
        """Visible patches (B, N) -> the same on a map of a side, (B, 1, side, side) bool."""
        if visible is None:
            return None
        _, rows, columns = self.settings.grid
        size = side // rows
        return repeat(visible, "b (r c) -> b 1 (r dr) (c dc)", r=rows, c=columns, dr=size, dc=size)


class Stage(nn.Module):
    """An embedding by convolution, and blocks."""

    def __init__(self, settings: CvtSettings, number: int):
        super().__init__()
        width, depth = settings.widths[number], settings.depths[number]
        channels = settings.widths[number - 1] if number else settings.channels
        self.side = settings.sides[number]
        self.projection = nn.Conv2d(
            channels,
            width,
            settings.kernels[number],
            stride=settings.strides[number],
            padding=settings.paddings[number],
        )
        self.norm = nn.LayerNorm(width)
        # As published: stochastic depth in the last stage alone.
        rate = settings.drop_path if number == len(settings.depths) - 1 else 0.0
        self.blocks = nn.ModuleList(
            CvtBlock(
                width,
                settings.heads[number],
                self.side,
                mlp_ratio=settings.mlp_ratio,
                drop_path=rate * index / max(depth - 1, 1),
            )
            for index in range(depth)
        )

    def embed(self, cells: Tensor, shown: Tensor | None) -> Tensor:
        """The stage's input (B, C, H, W) [, where it is visible (B, 1, H, W)] -> tokens (B, N, D)."""
        return self.norm(rearrange(self.projection(_blanked(cells, shown)), "b d h w -> b (h w) d"))


class CvtBlock(nn.Module):
    """Attention, then MLP, each behind a LayerNorm and added to its input."""

    def __init__(self, width: int, heads: int, side: int, *, mlp_ratio: float, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = ConvAttention(width, heads, side)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, round(width * mlp_ratio))
        self.drop_path = drop_path

    def forward(self, tokens: Tensor, shown: Tensor | None) -> Tensor:
        """(B, [1 +] N, D) [, visible cells (B, 1, h, w)] -> the same shape."""
        tokens = tokens + self._drop(self.attention(self.norm1(tokens), shown))
        return tokens + self._drop(self.mlp(self.norm2(tokens)))

    def _drop(self, branch: Tensor) -> Tensor:
        return drop_path(branch, self.drop_path) if self.training and self.drop_path else branch


class ConvAttention(nn.Module):
    """Attention of all cells, and of a class token if there is one, to keys over 2 × 2 cells."""

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads, self.side = heads, side
        self.query = ConvProjection(width, stride=1)
        self.key = ConvProjection(width, stride=KEY_STRIDE)
        self.value = ConvProjection(width, stride=KEY_STRIDE)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor, shown: Tensor | None) -> Tensor:
        """(B, [1 +] N, D) [, visible cells (B, 1, h, w)] -> the same shape."""
        num_class_tokens = tokens.shape[1] - self.side**2
        class_token, cells = tokens.tensor_split([num_class_tokens], dim=1)
        cells = _blanked(rearrange(cells, "b (h w) d -> b d h w", h=self.side), shown)
        keys_shown = None if shown is None else _reached(shown)
        query, key, value = (
            rearrange(projection(class_token, cells, where), "b n (h e) -> b h n e", h=self.heads)
            for projection, where in (
                (self.query, shown),
                (self.key, keys_shown),
                (self.value, keys_shown),
            )
        )
        readable = None
        if keys_shown is not None:
            readable = F.pad(
                rearrange(keys_shown, "b 1 h w -> b 1 1 (h w)"), (num_class_tokens, 0), value=True
            )
        # The published network divides by the root of the whole width, not of a head's.
        attended = F.scaled_dot_product_attention(query, key, value, readable, scale=tokens.shape[2] ** -0.5)
        return self.projection(rearrange(attended, "b h n e -> b n (h e)"))


class ConvProjection(nn.Module):
    """A depthwise convolution and a linear layer; the class token goes through the latter alone."""

    def __init__(self, width: int, stride: int):
        super().__init__()
        self.convolution = nn.Conv2d(
            width, width, KERNEL, stride=stride, padding=KERNEL // 2, groups=width, bias=False
        )
        self.norm = MaskedBatchNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, class_token: Tensor, cells: Tensor, shown: Tensor | None) -> Tensor:
        """(B, 0 or 1, D), (B, D, h, w) [, which outputs count] -> (B, [1 +] K, D)."""
        outputs = rearrange(self.norm(self.convolution(cells), shown), "b d h w -> b (h w) d")
        return self.linear(torch.cat([class_token.to(outputs.dtype), outputs], dim=1))


class MaskedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with a second pair of running statistics, of passes in which patches are hidden.

    Both passes of SSAT would else move the one pair, and classification be judged with a mixture of the two.
    A masked pass counts visible places alone; the weights are shared.
    """

    masked_mean: Tensor
    masked_var: Tensor

    def __init__(self, width: int):
        super().__init__(width, momentum=MOMENTUM)
        self.register_buffer("masked_mean", torch.zeros(width))
        self.register_buffer("masked_var", torch.ones(width))

    def forward(self, input: Tensor, shown: Tensor | None = None) -> Tensor:  # noqa: A002
        """(B, D, h, w) [, which places count (B, 1, h, w) bool] -> (B, D, h, w)."""
        if shown is None:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            cells = input.float()
            mean, variance = (
                self._masked_statistics(cells, shown)
                if self.training
                else (
                    self.masked_mean,
                    self.masked_var,
                )
            )
            scale = self.weight * (variance + self.eps).rsqrt()
            normalized = cells * _per_channel(scale) + _per_channel(self.bias - mean * scale)
        return normalized.to(input.dtype)

    def _masked_statistics(self, cells: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the visible places, (D,) each; the running ones take a step towards them."""
        count = shown.sum().clamp_min(2)
        mean = (cells * shown).sum(dim=(0, 2, 3)) / count
        squares = ((cells - _per_channel(mean)) * shown).square().sum(dim=(0, 2, 3))
        with torch.no_grad():
            self.masked_mean.lerp_(mean, MOMENTUM)
            self.masked_var.lerp_(squares / (count - 1), MOMENTUM)
        return mean, squares / count


def _per_channel(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _blanked(cells: Tensor, shown: Tensor | None) -> Tensor:
    """(B, D, h, w) -> the same with zeros where nothing is shown."""
    return cells if shown is None else cells * shown


def _reached(shown: Tensor) -> Tensor:
    """Visible cells (B, 1, h, w) -> keys (B, 1, h', w') whose convolution reads at least one of them."""
    pooled = F.max_pool2d(shown.float(), KERNEL, stride=KEY_STRIDE, padding=KERNEL // 2)
    return pooled > 0
