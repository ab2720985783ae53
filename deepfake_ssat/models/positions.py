"""Sine-cosine position tables: VideoMAE's over the flat index, MAE's over the grid, and one over both.

And learned ones of pictures, brought to another grid.

N tokens (time, then rows, then columns), D width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int, int]


def position_table(kind: str, grid: Grid, width: int, source_grid: Grid | None = None) -> Tensor:
    """(N, D) float32 for one of ``POSITIONS``; of ``source_grid`` and interpolated, where that is given.

    Computed in numpy, so that the table exists even while a model is built on the meta device.
    """
    source_grid = source_grid or grid
    table = torch.from_numpy(POSITIONS[kind](source_grid, width).astype(np.float32))
    if source_grid == grid:
        return table
    volume = table.T.reshape(1, width, *source_grid)
    return F.interpolate(volume, size=grid, mode="trilinear", align_corners=False).reshape(width, -1).T


def resized_positions(table: Tensor, grid: Grid) -> Tensor:
    """Learned positions (n, D) of a square picture -> (N, D): interpolated as in timm, alike at all steps."""
    steps, *sides = grid
    plane = rearrange(table, "(h w) d -> 1 d h w", h=round(len(table) ** 0.5))
    plane = F.interpolate(plane, size=sides, mode="bicubic", antialias=True)
    return plane.flatten(2)[0].T.repeat(steps, 1)


def sincos_1d(grid: Grid, width: int) -> np.ndarray:
    """(N, D): sine in even and cosine in odd channels over the flat token index (VideoMAE)."""
    steps, rows, columns = grid
    channel = np.arange(width)
    rates = 10000.0 ** (-2 * (channel // 2) / width)
    angles = np.arange(steps * rows * columns, dtype=np.float64)[:, None] * rates
    return np.where(channel % 2 == 0, np.sin(angles), np.cos(angles))


def sincos_2d(grid: Grid, width: int) -> np.ndarray:
    """(N, D): the column in the first half of the channels, the row in the second (MAE); no time."""
    steps, rows, columns = grid
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    # Column first: a swap of axes in MAE's code that its published weights were trained with.
    table = np.concatenate([_axis(column.ravel(), width // 2), _axis(row.ravel(), width // 2)], axis=1)
    return np.tile(table, (steps, 1))


def sincos_3d(grid: Grid, width: int) -> np.ndarray:
    """(N, D): the time step in the first quarter of the channels, MAE's two axes in the other three."""
    steps, rows, columns = grid
    time = np.repeat(_axis(np.arange(steps), width // 4), rows * columns, axis=0)
    return np.concatenate([time, sincos_2d(grid, width - width // 4)], axis=1)


def _axis(positions: np.ndarray, width: int) -> np.ndarray:
    """(K,) -> (K, D): sines in the first half of the channels, cosines in the second."""
    rates = 10000.0 ** (-np.arange(width // 2, dtype=np.float64) / (width / 2))
    angles = positions[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


POSITIONS: dict[str, Callable[[Grid, int], np.ndarray]] = {
    "sincos_1d": sincos_1d,
    "sincos_2d": sincos_2d,
    "sincos_3d": sincos_3d,
}
