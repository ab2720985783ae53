"""timm's Swin stages on a smaller grid than they were built for: what UM-MAE's compact pictures need.

timm fixes windows and their masks to one size of picture. Here they follow from the grid, by Swin's rules: a
window is never larger than the grid, and one that covers it is not shifted.
B batch, h w cells (h = w), D width, n windows, k cells of a window.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F


def compact_stage(stage: Any, cells: Tensor) -> Tensor:
    """One of timm's stages, cells (B, h, w, D) of the stage before -> those of this one."""
    cells = stage.downsample(cells)
    for block in stage.blocks:
        cells = cells + block.drop_path1(_attend_in_windows(block, block.norm1(cells)))
        cells = cells + block.drop_path2(block.mlp(block.norm2(cells)))
    return cells


def _attend_in_windows(block: Any, cells: Tensor) -> Tensor:
    """(B, h, w, D) -> the same shape; what the windows do not divide is padded at its end, as published."""
    side = cells.shape[1]
    window = min(block.window_size[0], side)
    shift = block.target_shift_size[0] if side > window else 0
    missing = -side % window
    cells = F.pad(cells.roll((-shift, -shift), dims=(1, 2)), (0, 0, 0, missing, 0, missing))
    attention, rows = block.attn, (side + missing) // window
    windows = rearrange(cells, "b (r y) (c x) d -> b (r c) (y x) d", y=window, x=window)
    queries, keys, values = rearrange(
        attention.qkv(windows),
        "b n k (three heads d) -> three b n heads k d",
        three=3,
        heads=attention.num_heads,
    )
    bias = _position_bias(attention.relative_position_bias_table, block.window_size[0], window)
    if shift:
        apart = _apart(side + missing, window, shift, cells.device)
        bias = bias.masked_fill(apart.unsqueeze(1), float("-inf"))
    mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias.to(queries.dtype))
    windows = attention.proj(rearrange(mixed, "b n heads k d -> b n k (heads d)"))
    cells = rearrange(windows, "b (r c) (y x) d -> b (r y) (c x) d", r=rows, y=window)
    return cells[:, :side, :side].roll((shift, shift), dims=(1, 2))


def _position_bias(table: Tensor, trained: int, window: int) -> Tensor:
    """((2·trained − 1)², heads) -> (heads, k, k) of a window no larger: the middle of the table."""
    biases = rearrange(table, "(dy dx) heads -> heads dy dx", dy=2 * trained - 1)
    places = torch.arange(window, device=table.device)
    offsets = places.unsqueeze(1) - places + trained - 1
    biases = biases[:, offsets[:, None, :, None], offsets[None, :, None, :]]
    return rearrange(biases, "heads y x v u -> heads (y x) (v u)")


def _apart(side: int, window: int, shift: int, device: torch.device) -> Tensor:
    """(n, k, k) bool: pairs of cells that a shift brought into one window from opposite ends of the grid."""
    places = torch.arange(side, device=device)
    strip = (places >= side - window).int() + (places >= side - shift).int()
    region = rearrange(3 * strip.unsqueeze(1) + strip, "(r y) (c x) -> (r c) (y x)", y=window, x=window)
    return region.unsqueeze(1) != region.unsqueeze(2)
