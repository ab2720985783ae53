"""A heat map over a clip's tokens of what the decoder cannot predict.

B batch, C channels, T frames, H W pixels, N tokens; maps are (B, t, h, w) over the token grid.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from deepfake_ssat.models.network import Autoencoder
from deepfake_ssat.models.patches import patchify, split_tokens
from deepfake_ssat.models.pixels import denormalize
from deepfake_ssat.models.reconstruction import TargetConvention, reconstructed_pixels
from deepfake_ssat.models.uniform_masking import draw_mask


def reconstruction_error_map(
    model: Autoencoder,
    clips: Tensor,
    *,
    mask_ratio: float,
    normalize: bool,
    convention: TargetConvention,
    rounds: int = 3,
    seed: int = 0,
) -> Tensor:
    """(B, C, T, H, W) -> (B, t, h, w): root mean squared error of each cell's pixels where it was hidden.

    Each round hides every spatial cell at least once, by tube masks, so no cell is left unmeasured.
    """
    steps, rows, columns = model.settings.grid
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(clips.shape[0], model.settings.num_tokens)
    counts = torch.zeros_like(total)
    pixels = denormalize(clips.float(), model.settings)
    shape = (model.settings.tubelet, model.settings.patch)
    for _ in range(rounds):
        unseen = torch.ones(rows * columns, dtype=torch.bool)
        while unseen.any():
            mask = draw_mask(1, model.settings, mask_ratio, generator, "cpu")
            spatial = mask[0, : rows * columns]
            if not (spatial & unseen).any():
                continue
            unseen &= ~spatial
            tube = mask.expand(clips.shape[0], -1).to(clips.device)
            with torch.inference_mode():
                predicted = reconstructed_pixels(
                    clips,
                    tube,
                    model.reconstruct(clips, tube),
                    model.settings,
                    normalize=normalize,
                    convention=convention,
                )
            squared = patchify(torch.square(predicted - pixels), *shape).mean(dim=-1).cpu()
            _, hidden = split_tokens(tube.cpu())
            total.scatter_add_(1, hidden, squared.gather(1, hidden))
            counts.scatter_add_(1, hidden, torch.ones_like(hidden, dtype=torch.float32))
    return rearrange((total / counts).sqrt(), "b (t h w) -> b t h w", t=steps, h=rows, w=columns)
