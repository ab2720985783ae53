"""Heat maps over a clip's tokens: where the classifier finds evidence, and what the decoder cannot predict.

B batch, C channels, T frames, H W pixels, N tokens, D width; maps are (B, t, h, w) over the token grid.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.baselines.backbone import spread_frames
from deepfake_ssat.models.baselines.cross_efficient_vit import CrossEfficientVit
from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import patchify, split_tokens, tube_mask
from deepfake_ssat.models.pixels import denormalize
from deepfake_ssat.models.reconstruction import TargetConvention, reconstructed_pixels
from deepfake_ssat.records import FAKE, REAL


def evidence_map(model: MaskedAutoencoder, clips: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, t, h, w) >= 0: Grad-CAM of (fake - real logit) at the last block's input.

    A cell's value is its tokens' activation times gradient, summed over the width, negative parts set to 0
    (Selvaraju et al., ICCV 2017, on tokens instead of a convolution's cells).
    """
    held: list[Tensor] = []

    def hold(_: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        tokens = inputs[0].detach().requires_grad_(True)
        held.append(tokens)
        return (tokens, *inputs[1:])

    hook = model.encoder.blocks[-1].register_forward_pre_hook(hold)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = model.classify(clips.clone())
            difference = (logits[:, FAKE] - logits[:, REAL]).sum()
            (gradient,) = torch.autograd.grad(difference, held)
    finally:
        hook.remove()
    relevance = (held[0].detach() * gradient).sum(dim=-1)[:, -model.settings.num_tokens :]
    return _on_grid(relevance.clamp_min(0.0), model)


def frame_evidence_map(model: FrameClassifier | CrossEfficientVit, clips: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, t, h, w) >= 0: Grad-CAM of (fake - real logit) on a convolutional map.

    That of the backbone, or of the small branch; t are the frames that are judged. Raises CheckpointError for
    a backbone whose features are no map.
    """
    with torch.inference_mode(False):
        with torch.no_grad():
            maps = model.feature_maps(spread_frames(clips.clone(), model.settings))
        if maps[0].ndim != 4:
            raise CheckpointError(f"backbone {model.settings.backbone} has no maps of features to explain by")
        held = maps[0].requires_grad_(True)
        with torch.enable_grad():
            logits = model.classify_maps((held, *maps[1:]))
            (gradient,) = torch.autograd.grad((logits[:, FAKE] - logits[:, REAL]).sum(), held)
    # A clip's logits are the mean over its frames.
    relevance = (held.detach() * gradient).sum(dim=1) / model.settings.frames_used
    return rearrange(relevance.clamp_min(0.0), "(b t) h w -> b t h w", t=model.settings.frames_used)


def reconstruction_error_map(
    model: MaskedAutoencoder,
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
            mask = tube_mask(1, (1, rows, columns), mask_ratio, generator, "cpu")[0]
            if not (mask & unseen).any():
                continue
            unseen &= ~mask
            tube = mask.repeat(steps).expand(clips.shape[0], -1).to(clips.device)
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
    return _on_grid((total / counts).sqrt(), model)


def _on_grid(tokens: Tensor, model: MaskedAutoencoder) -> Tensor:
    steps, rows, columns = model.settings.grid
    return rearrange(tokens, "b (t h w) -> b t h w", t=steps, h=rows, w=columns)
