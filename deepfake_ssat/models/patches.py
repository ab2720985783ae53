"""Cuts clips into tube patches, puts them together again, and chooses which of them are hidden.

B batch, C channels, T frames, H W pixels, N tokens (time, then rows, then columns), P values under one token.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F


def patchify(clips: Tensor, tubelet: int, patch: int) -> Tensor:
    """(B, C, T, H, W) -> (B, N, P); within a patch: frames, rows, columns, channels (VideoMAE's order)."""
    return rearrange(
        clips, "b c (t dt) (h dh) (w dw) -> b (t h w) (dt dh dw c)", dt=tubelet, dh=patch, dw=patch
    )


def unpatchify(patches: Tensor, grid: tuple[int, int, int], tubelet: int, patch: int) -> Tensor:
    """(B, N, P) -> (B, C, T, H, W): the inverse of ``patchify``, for a grid (time, rows, columns)."""
    steps, rows, columns = grid
    return rearrange(
        patches,
        "b (t h w) (dt dh dw c) -> b c (t dt) (h dh) (w dw)",
        t=steps,
        h=rows,
        w=columns,
        dt=tubelet,
        dh=patch,
        dw=patch,
    )


def with_shifted_copies(clips: Tensor, shift: int) -> Tensor:
    """(B, C, T, H, W) -> (B, 5 C, T, H, W): the clip, and moved by ``shift`` pixels towards each corner.

    In the order of Lee et al. (2021): down-right, down-left, up-right, up-left; what comes in is zero.
    """
    height, width = clips.shape[-2:]
    padded = F.pad(clips, (shift, shift, shift, shift))
    corners = [(0, 0), (0, 2 * shift), (2 * shift, 0), (2 * shift, 2 * shift)]
    copies = [padded[..., top : top + height, left : left + width] for top, left in corners]
    return torch.cat([clips, *copies], dim=1)


def count_hidden(num_cells: int, ratio: float) -> int:
    """How many of ``num_cells`` are hidden: as VideoMAE, rounded down, but never none and never all.

    (MAE rounds the visible ones down instead: one more is hidden there where the product is not whole.)
    """
    if num_cells < 2:
        raise ValueError(f"a grid of {num_cells} cell cannot be masked: one must stay visible, one be hidden")
    return min(max(int(ratio * num_cells), 1), num_cells - 1)


def tube_mask(
    batch: int,
    grid: tuple[int, int, int],
    ratio: float,
    generator: torch.Generator | None,
    device: torch.device | str,
    times_hidden: Tensor | float = 0.0,
) -> Tensor:
    """(B, N) bool, True is hidden: one random spatial mask per clip, the same at every temporal position.

    Every row hides the same number of tokens. Over one temporal position this is MAE's random mask.
    The draw is made on the generator's device, so that a seed gives the same masks on every accelerator.
    ``times_hidden``, (cells,) whole numbers: those that were hidden less often before are hidden first.
    """
    steps, rows, columns = grid
    cells = rows * columns
    noise = torch.rand(batch, cells, generator=generator, device=generator.device if generator else device)
    hidden = (noise + times_hidden).argsort(dim=1)[:, : count_hidden(cells, ratio)]
    spatial = torch.zeros(batch, cells, dtype=torch.bool, device=noise.device).scatter_(1, hidden, True)
    return spatial.repeat(1, steps).to(device)


def split_tokens(mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N) bool -> indices of visible (B, N-M) and of hidden tokens (B, M), each in ascending order."""
    counts = mask.sum(dim=1).tolist()
    if len(set(counts)) != 1:
        raise ValueError(f"rows of the mask hide different numbers of tokens: {sorted(set(counts))}")
    order = mask.to(torch.uint8).argsort(dim=1, stable=True)
    num_visible = mask.shape[1] - counts[0]
    return order[:, :num_visible], order[:, num_visible:]


def take_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """(B or 1, N, D), (B, K) -> (B, K, D): the tokens at each row's indices."""
    batch = indices.shape[0]
    # Whole rows by index: on CPUs five times as fast as gather, which looks up every value.
    return tokens.expand(batch, -1, -1)[torch.arange(batch, device=tokens.device).unsqueeze(1), indices]
