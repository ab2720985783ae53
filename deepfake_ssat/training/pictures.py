"""Pictures of what the decoder makes of validation clips: original, masked, reconstruction.

B batch, C channels, T frames, H W pixels, N tokens, S samples.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.models.network import Autoencoder
from deepfake_ssat.models.patches import patchify, unpatchify
from deepfake_ssat.models.pixels import denormalize, normalize_pixels
from deepfake_ssat.models.reconstruction import reconstructed_pixels
from deepfake_ssat.models.uniform_masking import draw_mask

CAPTIONS = ("original", "masked", "reconstruction")
MASK_SEED = 7
GREY = 0.5
SMALLEST_SIDE = 140
FRAMES_SHOWN = 2
GAP = 4
CAPTION_HEIGHT = 22
TRUE_STATISTICS = "predicted: detail; true: mean and contrast of each patch"
"""Said below a picture where normalised patches were predicted: what is shown knows more than the network."""


class SampleCollector:
    """Keeps some validation clips, spread over those that this process sees, as they pass by."""

    def __init__(self, items: range, num_samples: int) -> None:
        chosen = np.linspace(0, len(items) - 1, min(num_samples, len(items))).round().astype(int)
        self._wanted = {items[index] for index in chosen}
        self._kept: dict[int, Tensor] = {}

    def offer(self, batch: dict[str, Any]) -> None:
        """Takes what is wanted of a validation batch."""
        for item, pixels in zip(batch["item"].tolist(), batch["pixels"], strict=True):
            if item in self._wanted:
                self._kept[item] = pixels.cpu()

    def samples(self) -> Tensor | None:
        """(S, T, H, W, C) uint8, the same clips in the same order after every validation; None for none."""
        return torch.stack([self._kept[item] for item in sorted(self._kept)]) if self._kept else None


@torch.no_grad()
def reconstruction_picture(model: Autoencoder, pixels: Tensor, settings: ObjectiveSettings) -> np.ndarray:
    """Clips (S, T, H, W, C) uint8 -> one RGB picture (rows, columns, 3) uint8, with captions.

    A row for each sample, two for clips of several frames; the masks are the same for the same sizes.
    Predictions of normalised patches are put back with the true patch's mean and scale, and the picture says
    so: the network was not asked for these.
    """
    device = pixels.device
    clips = normalize_pixels(pixels, model.settings)
    generator = torch.Generator().manual_seed(MASK_SEED)
    mask = draw_mask(len(clips), model.settings, settings.mask_ratio, generator, device)
    original = denormalize(clips, model.settings).clamp(0.0, 1.0)
    reconstruction = reconstructed_pixels(
        clips,
        mask,
        model.reconstruct(clips, mask),
        model.settings,
        normalize=settings.normalize_target,
        convention=settings.target_convention,
    )
    shown = (original, _greyed(original, mask, model), reconstruction)
    return _sheet([_frames(clip) for clip in shown], TRUE_STATISTICS if settings.normalize_target else "")


def _greyed(original: Tensor, mask: Tensor, model: Autoencoder) -> Tensor:
    """(S, C, T, H, W), (S, N) -> the same with hidden patches grey."""
    settings = model.settings
    patches = patchify(original, settings.tubelet, settings.patch)
    patches = patches.masked_fill(mask.unsqueeze(-1), GREY)
    return unpatchify(patches, settings.grid, settings.tubelet, settings.patch)


def _frames(clips: Tensor) -> np.ndarray:
    """(S, C, T, H, W) in [0, 1] -> (rows, H, W, 3) uint8: some frames of each clip, enlarged if tiny."""
    num_frames = clips.shape[2]
    indices = [0] if num_frames == 1 else np.linspace(0, num_frames - 1, FRAMES_SHOWN).round().astype(int)
    chosen = clips[:, :, torch.as_tensor(np.array(indices), device=clips.device)]
    pixels = (chosen.permute(0, 2, 3, 4, 1).flatten(0, 1) * 255.0).round().to(torch.uint8).cpu().numpy()
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    factor = -(-SMALLEST_SIDE // pixels.shape[1])
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def _sheet(columns: list[np.ndarray], note: str) -> np.ndarray:
    """Columns of (rows, H, W, 3) -> one picture with a caption above each column, and a note below if any."""
    rows, height, width, _ = columns[0].shape
    bottom = CAPTION_HEIGHT + rows * (height + GAP)
    size = (bottom + CAPTION_HEIGHT * bool(note), len(columns) * (width + GAP) - GAP, 3)
    sheet = np.full(size, 255, dtype=np.uint8)
    _write(sheet, note, 4, bottom + 14, 0.4)
    for number, (caption, pictures) in enumerate(zip(CAPTIONS, columns, strict=True)):
        left = number * (width + GAP)
        _write(sheet, caption, left + 4, 16, 0.5)
        for row, picture in enumerate(pictures):
            top = CAPTION_HEIGHT + row * (height + GAP)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def _write(sheet: np.ndarray, text: str, left: int, base: int, size: float) -> None:
    cv2.putText(sheet, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)
