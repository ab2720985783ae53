"""Swin on single pictures, with SimMIM's decoder: mask tokens before the encoder, one linear layer behind it.

Swin: Liu et al., ICCV 2021, timm's implementation. SimMIM: Xie et al., CVPR 2022. UM-MAE's masking is
``uniform_masking.py``.
B batch, C channels, T frames (1), H W pixels, h w cells, D width, M hidden patches, P values of a patch.
"""

from __future__ import annotations

import warnings
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from deepfake_ssat.config.hierarchical import SwinSettings
from deepfake_ssat.models.encoder_weights import load_encoder_weights
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import FeatureMaps, Network
from deepfake_ssat.models.patches import patchify, split_tokens, take_tokens
from deepfake_ssat.models.timm_library import require_timm
from deepfake_ssat.models.uniform_masking import UniformDecoder

ENCODER_PLACES = ("encoder.", "backbone.", "model.", "")
"""Where a file may hold the encoder: ours and SimMIM's under ``encoder``, timm's at its root."""


class SimmimDecoder(nn.Module):
    """The token in place of what is hidden, and the pixels under each cell of the encoder's last map."""

    def __init__(self, settings: SwinSettings):
        super().__init__()
        self.settings = settings
        self.mask_token = nn.Parameter(torch.zeros(settings.width))
        self.predict = nn.Linear(settings.last_width, settings.stride**2 * settings.channels)
        if not self.mask_token.is_meta:
            nn.init.trunc_normal_(self.mask_token, std=0.02)

    def encode(self, encoder: Any, clips: Tensor, mask: Tensor) -> Tensor:
        """timm's Swin, (B, C, 1, H, W), (B, N) -> the last map (B, h, w, D), by way of mask tokens."""
        _, rows, columns = self.settings.grid
        side = self.settings.patch // self.settings.embed_patch
        hidden = repeat(mask, "b (r c) -> b (r dr) (c dc) 1", r=rows, c=columns, dr=side, dc=side)
        cells = encoder.patch_embed(clips.squeeze(2))
        return encoder.layers(torch.where(hidden, self.mask_token.to(cells.dtype), cells))

    def forward(self, cells: Tensor, mask: Tensor) -> Tensor:
        """The last map (B, h, w, D), mask (B, N) -> (B, M, P): hidden patches in ascending order."""
        settings = self.settings
        pixels = rearrange(
            self.predict(cells),
            "b h w (dh dw c) -> b c 1 (h dh) (w dw)",
            dh=settings.stride,
            dw=settings.stride,
        )
        # A grid that the stages could not halve was padded at its end.
        pixels = pixels[..., : settings.image_size, : settings.image_size]
        _, hidden = split_tokens(mask)
        return take_tokens(patchify(pixels, settings.tubelet, settings.patch), hidden)


class Swin(Network):
    """timm's Swin, a linear classifier on the mean of its last map, and SimMIM's or UM-MAE's decoder."""

    settings: SwinSettings
    decoder: SimmimDecoder | UniformDecoder | None
    decoder_prefix: ClassVar[str | None] = "decoder."

    def __init__(self, settings: SwinSettings):
        super().__init__()
        self.settings = settings
        self.encoder = _timm_encoder(settings)
        self.head = nn.Linear(settings.last_width, settings.num_classes)
        masking = settings.uniform_masking
        self.decoder = UniformDecoder(settings, masking) if masking else SimmimDecoder(settings)
        if not self.head.weight.is_meta:
            nn.init.trunc_normal_(self.head.weight, std=0.02)
            nn.init.zeros_(self.head.bias)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> logits (B, classes)."""
        return self._logits(self.encoder.norm(self._stages(clips)[-1]))

    @property
    def feature_width(self) -> int:
        """D, of the features that the classifier reads."""
        return self.settings.last_width

    def features(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> (B, D): what the classifier reads."""
        return self.encoder.norm(self._stages(clips)[-1]).mean(dim=(1, 2))

    def classify_with_maps(self, clips: Tensor) -> tuple[Tensor, FeatureMaps]:
        """(B, C, 1, H, W) -> logits (B, classes), and every stage's map; the final one is normalised."""
        stages = self._stages(clips)
        final = self.encoder.norm(stages[-1])
        maps = [rearrange(cells, "b h w d -> b d 1 h w") for cells in (*stages, final)]
        return self._logits(final), FeatureMaps(tuple(maps[:-1]), maps[-1])

    def reconstruct(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, 1, H, W), (B, N) bool -> (B, M, P): predictions of hidden patches, in ascending order."""
        decoder = self._require_decoder()
        return decoder(self._masked_map(decoder, clips, mask), mask)

    def classify_and_reconstruct(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), predictions (B, M, P): both from one masked pass."""
        decoder = self._require_decoder()
        cells = self._masked_map(decoder, clips, mask)
        return self._logits(cells), decoder(cells, mask)

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, 1, H, W) -> (B, 1, h, w) >= 0: Grad-CAM on the last map, before its norm."""
        evidence = activation_times_gradient(
            clips,
            lambda clips: (self._stages(clips)[-1],),
            lambda cells: self._logits(self.encoder.norm(cells)),
            classes,
        )
        return evidence.sum(dim=-1).clamp_min(0.0).unsqueeze(1)

    def layer_numbers(self) -> dict[str, int]:
        """0 of the patch embedding, 1 … of the blocks; where cells are joined belongs to the block behind."""
        first = list(accumulate(self.settings.depths, initial=1))
        numbers: dict[str, int] = {}
        for name, _ in self.encoder.named_parameters():
            if name.startswith("patch_embed."):
                numbers[f"encoder.{name}"] = 0
            elif name.startswith("layers."):
                _, stage, part, block, *_ = name.split(".")
                numbers[f"encoder.{name}"] = first[int(stage)] + (int(block) if part == "blocks" else 0)
        return numbers

    def unreached(self, *, classifies: bool, reconstructs: bool) -> tuple[str, ...]:
        """The classifier without classes, the decoder without hidden patches."""
        if not classifies:
            return ("head.",)
        return () if reconstructs else ("decoder.",)

    def autoencoder(self) -> Swin | None:
        """Itself, until the decoder is dropped."""
        return None if self.decoder is None else self

    def drop_decoder(self) -> None:
        """Removes what classification does not need; ``reconstruct`` is impossible afterwards."""
        self.decoder = None

    def _masked_map(self, decoder: SimmimDecoder | UniformDecoder, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, 1, H, W), (B, N) -> the last map (B, h, w, D) of what is visible, normalised."""
        self._check_shape(clips)
        return self.encoder.norm(decoder.encode(self.encoder, clips, mask))

    def _stages(self, clips: Tensor) -> list[Tensor]:
        """(B, C, 1, H, W) -> the map (B, h, w, D) behind each stage."""
        self._check_shape(clips)
        cells = self.encoder.patch_embed(clips.squeeze(2))
        maps = []
        for stage in self.encoder.layers:
            cells = stage(cells)
            maps.append(cells)
        return maps

    def _check_shape(self, clips: Tensor) -> None:
        settings = self.settings
        needed = (settings.channels, settings.frames, settings.image_size, settings.image_size)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != needed:
            raise ValueError(f"clips are {tuple(clips.shape)}, the model reads (batch, {str(needed)[1:]}")

    def _logits(self, cells: Tensor) -> Tensor:
        return full_logits(self.head, cells.mean(dim=(1, 2)))

    def _require_decoder(self) -> SimmimDecoder | UniformDecoder:
        if self.decoder is None:
            raise ValueError("the decoder was dropped: this model only classifies")
        return self.decoder


def _timm_encoder(settings: SwinSettings) -> Any:
    """timm's Swin without classifier, random weights."""
    require_timm("model.kind swin")
    from timm.models.swin_transformer import SwinTransformer

    encoder: Any = SwinTransformer(
        img_size=settings.image_size,
        patch_size=settings.embed_patch,
        in_chans=settings.channels,
        num_classes=0,
        global_pool="",
        embed_dim=settings.width,
        depths=settings.depths,
        num_heads=settings.heads,
        window_size=settings.window,
        mlp_ratio=settings.mlp_ratio,
        drop_path_rate=settings.drop_path,
        norm_layer=nn.LayerNorm,
    )
    # Compact pictures are smaller; this network checks sizes itself.
    encoder.patch_embed.strict_img_size = False
    return encoder


def load_swin_weights(model: Swin, path: Path) -> list[str]:
    """Starts it from a file of timm, of Swin's or SimMIM's authors, or of ours; what ``init`` calls.

    Tables of relative positions are interpolated to the model's windows, and the patch embedding to its
    patches, as timm does it. Raises CheckpointError where nothing fits.
    """
    return load_encoder_weights(model, path, partial(_our_weights, model.encoder))


def _our_weights(encoder: Any, weights: dict[str, Tensor], report: list[str]) -> dict[str, Tensor]:
    """Weights by their names in a file -> by ours, those of the encoder in its sizes; adds to the report."""
    from timm.models.swin_transformer import checkpoint_filter_fn

    places = [place for place in ENCODER_PLACES if f"{place}patch_embed.proj.weight" in weights]
    if not places:
        return weights
    place = places[0]
    inner = {name.removeprefix(place): value for name, value in weights.items() if name.startswith(place)}
    try:
        with warnings.catch_warnings():
            # torch's, of how timm interpolates.
            warnings.simplefilter("ignore", UserWarning)
            fitted = checkpoint_filter_fn(inner, encoder)
    except (AttributeError, RuntimeError, ValueError):
        # Other stages: what is amiss is said where the encoder's weights are compared with the model's.
        fitted = inner
    resized = sum(name in inner and inner[name].shape != value.shape for name, value in fitted.items())
    if resized:
        report.append(f"{resized} weights of windows and patches are interpolated to the model's sizes")
    ours = {f"encoder.{name}": value for name, value in fitted.items()}
    for name in ("weight", "bias"):
        for classifier in (f"head.{name}", f"{place}head.fc.{name}", f"{place}head.{name}"):
            if classifier in weights:
                ours[f"head.{name}"] = weights[classifier]
    return ours | {name: value for name, value in weights.items() if name.startswith("decoder.")}
