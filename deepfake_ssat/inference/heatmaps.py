"""A heat map over a clip's tokens of what the decoder cannot predict.

B batch, C channels, T frames, H W pixels, N tokens; maps are (B, t, h, w) over the token grid.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from deepfake_ssat.models.network import Autoencoder
from deepfake_ssat.models.patches import patchify
from deepfake_ssat.models.pixels import denormalize
from deepfake_ssat.models.precision import inference_autocast
from deepfake_ssat.models.reconstruction import TargetConvention, reconstructed_pixels
from deepfake_ssat.models.uniform_masking import draw_mask


def reconstruction_error_map(
    model: Autoencoder,
    clips: Tensor,
    *,
    mask_ratio: float,
    normalize: bool,
    convention: TargetConvention,
    rounds: int = 2,
    seed: int = 0,
) -> Tensor:
    """(B, C, T, H, W) -> (B, t, h, w): root mean squared error of each cell's pixels where it was hidden.

    Tube masks hide every spatial cell ``rounds`` times or more; each hides those first that were hidden least
    often before, so that few masks do.
    """
    steps, rows, columns = model.settings.grid
    generator = torch.Generator().manual_seed(seed)
    times_hidden = torch.zeros(rows * columns)
    total = torch.zeros(clips.shape[0], model.settings.num_tokens)
    pixels = denormalize(clips.float(), model.settings)
    shape = (model.settings.tubelet, model.settings.patch)
    while times_hidden.min() < rounds:
        mask = draw_mask(1, model.settings, mask_ratio, generator, "cpu", times_hidden)
        times_hidden += mask[0, : rows * columns]
        tube = mask.expand(clips.shape[0], -1).to(clips.device)
        with torch.inference_mode(), inference_autocast(clips.device):
            predicted = reconstructed_pixels(
                clips,
                tube,
                model.reconstruct(clips, tube),
                model.settings,
                normalize=normalize,
                convention=convention,
            )
        squared = patchify(torch.square(predicted - pixels), *shape).mean(dim=-1).cpu()
        total += squared * mask
    errors = (total / times_hidden.repeat(steps)).sqrt()
    return rearrange(errors, "b (t h w) -> b t h w", t=steps, h=rows, w=columns)
