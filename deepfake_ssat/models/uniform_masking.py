"""UM-MAE's masking for Swin: one patch of each 2 × 2 is sampled, and only these go through the network.

Li et al., arXiv 2205.10063. The sampled patches, pushed together, are a picture of half the side, whose
windows are full. A part of them is hidden a second time, by a mask token: alone, they make guessing too easy.
B batch, C channels, H W pixels, h w cells, N patches, S = N / 4 sampled, M hidden, D width, P pixel values.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from deepfake_ssat.config.hierarchical import PatchSettings, SwinSettings, UniformMasking
from deepfake_ssat.models.patches import patchify, split_tokens, take_tokens, tube_mask, unpatchify
from deepfake_ssat.models.swin_windows import compact_stage
from deepfake_ssat.models.vit import Decoder, initialize_as_mae


def draw_mask(
    batch: int,
    settings: PatchSettings,
    ratio: float,
    generator: torch.Generator | None,
    device: torch.device | str,
    times_hidden: Tensor | float = 0.0,
) -> Tensor:
    """(B, N) bool, True is hidden: a mask as the network reads it: uniform, or of ``ratio`` at random.

    ``times_hidden``, (cells,) whole numbers: those that were hidden less often before are hidden first.
    """
    if isinstance(settings, SwinSettings) and settings.uniform_masking is not None:
        ratio = settings.uniform_masking.secondary_ratio
        return uniform_mask(batch, settings.grid, ratio, generator, device, times_hidden)
    return tube_mask(batch, settings.grid, ratio, generator, device, times_hidden)


def uniform_mask(
    batch: int,
    grid: tuple[int, int, int],
    secondary_ratio: float,
    generator: torch.Generator | None,
    device: torch.device | str,
    times_hidden: Tensor | float = 0.0,
) -> Tensor:
    """(B, N) bool, True is hidden: three random patches of each 2 × 2, all four of a part of these blocks.

    Every row hides the same number of patches. The draw is made on the generator's device.
    ``times_hidden``, (cells,) whole numbers: of each 2 × 2 those that were hidden less often before.
    """
    _, rows, columns = grid
    blocks = rows * columns // 4
    noise = torch.rand(
        batch, blocks, 5, generator=generator, device=generator.device if generator else device
    )
    before = torch.as_tensor(times_hidden, device=noise.device).expand(rows * columns)
    before = rearrange(before, "(r dr c dc) -> (r c) (dr dc)", r=rows // 2, dr=2, dc=2)
    sampled = (noise[..., :4] + before).argmax(dim=2, keepdim=True)
    mask = torch.ones(batch, blocks, 4, dtype=torch.bool, device=noise.device).scatter_(2, sampled, False)
    # As its authors round: of the sampled patches, those that stay are rounded down.
    stay = max(int(blocks * (1.0 - secondary_ratio)), 1)
    again = noise[..., 4].argsort(dim=1)[:, stay:]
    mask.scatter_(1, again.unsqueeze(2).expand(-1, -1, 4), True)
    return rearrange(mask, "b (r c) (dr dc) -> b (r dr c dc)", c=columns // 2, dc=2).to(device)


class UniformDecoder(nn.Module):
    """The compact pass: a mask token before the encoder, MAE's decoder over the whole grid behind it."""

    def __init__(self, settings: SwinSettings, masking: UniformMasking):
        super().__init__()
        self.settings = settings
        self.mask_token = nn.Parameter(torch.zeros(settings.width))
        self.split = settings.stride // settings.patch
        width = settings.last_width // self.split
        self.expand = nn.Linear(settings.last_width, self.split**2 * width)
        self.transformer = Decoder(settings, masking.decoder, width)
        if not self.mask_token.is_meta:
            self.apply(initialize_as_mae)
            nn.init.trunc_normal_(self.mask_token, std=0.02)

    def encode(self, encoder: Any, clips: Tensor, mask: Tensor) -> Tensor:
        """timm's Swin, (B, C, 1, H, W), (B, N) -> the last map (B, h, w, D) of the compact picture."""
        settings = self.settings
        _, rows, columns = settings.grid
        sampled, again = self._sampled(mask)
        patches = take_tokens(patchify(clips, 1, settings.patch), sampled)
        compact = unpatchify(patches, (1, rows // 2, columns // 2), 1, settings.patch)
        cells = encoder.patch_embed(compact.squeeze(2))
        side = settings.patch // settings.embed_patch
        blank = repeat(again, "b (r c) -> b (r dr) (c dc) 1", r=rows // 2, dr=side, dc=side)
        cells = torch.where(blank, self.mask_token.to(cells.dtype), cells)
        for stage in encoder.layers:
            cells = compact_stage(stage, cells)
        return cells

    def forward(self, cells: Tensor, mask: Tensor) -> Tensor:
        """The last map (B, h, w, D), mask (B, N) -> (B, M, P): hidden patches in ascending order."""
        side = self.settings.grid[1] // 2
        tokens = rearrange(
            self.expand(cells), "b h w (dh dw d) -> b (h dh) (w dw) d", dh=self.split, dw=self.split
        )
        # A compact picture that the stages could not halve was padded at its end.
        tokens = tokens[:, :side, :side].flatten(1, 2)
        sampled, _ = self._sampled(mask)
        _, hidden = split_tokens(mask)
        return self.transformer(tokens, sampled, hidden)

    def _sampled(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N) -> the sampled patch of each 2 × 2 as an index (B, S), and (B, S) whether it is hidden too.

        Of a block that is hidden as a whole it is the first: the encoder reads the mask token in either case.
        """
        _, rows, columns = self.settings.grid
        four = rearrange(mask, "b (r dr c dc) -> b r c (dr dc)", r=rows // 2, dr=2, dc=2)
        place = four.to(torch.uint8).argmin(dim=3)
        row = torch.arange(0, rows, 2, device=mask.device).unsqueeze(1) + place // 2
        column = torch.arange(0, columns, 2, device=mask.device) + place % 2
        return (row * columns + column).flatten(1), four.all(dim=3).flatten(1)
