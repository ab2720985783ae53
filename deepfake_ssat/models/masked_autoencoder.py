"""The one network for clips and images: ViT encoder, classifier, and a shallow decoder for hidden patches.

An image is a clip of one frame with a tubelet of one frame.
B batch, C channels, T frames, H W pixels, N tokens, V visible and M hidden ones, D width, P patch values.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.hierarchical import CvtSettings
from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.heads import HEADS
from deepfake_ssat.models.network import FeatureMaps, Network
from deepfake_ssat.models.patches import patchify, split_tokens, take_tokens, unpatchify, with_shifted_copies
from deepfake_ssat.models.positions import position_table

SELF_TEST_TOKENS = 48
PIXEL_SIDE = ("encoder.stem.", "encoder.patch_", "encoder.class_token", "encoder.positions")
"""Beginnings of the names of what is before the blocks."""


class Encoder(nn.Module):
    """Patches -> tokens with positions -> blocks; encodes all tokens of a clip or some of them."""

    positions: Tensor

    def __init__(self, settings: ModelSettings):
        super().__init__()
        encoder = settings.encoder
        self.settings = settings
        self.stem = EfficientNetLite() if settings.stem == "efficientnet_lite0" else None
        channels, side = settings.embedded
        values = settings.tubelet * side * side * channels
        self.patch_norm = nn.LayerNorm(values) if encoder.shifted_patches else None
        self.patch_embed = nn.Linear(values, encoder.width)
        with_class_token = settings.pooling != "mean"
        self.class_token = nn.Parameter(torch.zeros(1, 1, encoder.width)) if with_class_token else None
        if settings.positions == "learned":
            self.positions = nn.Parameter(torch.zeros(1, settings.num_tokens, encoder.width))
        else:
            table = position_table(settings.positions, settings.grid, encoder.width, settings.position_grid)
            self.register_buffer("positions", table.unsqueeze(0), persistent=False)
        last = max(encoder.depth - 1, 1)
        self.blocks = nn.ModuleList(
            Block(
                encoder.width,
                encoder.heads,
                mlp_ratio=encoder.mlp_ratio,
                qkv_bias=settings.qkv_bias,
                norm_eps=settings.norm_eps,
                drop_path=encoder.drop_path * index / last,
                locality=encoder.locality_attention,
            )
            for index in range(encoder.depth)
        )
        self.norm = nn.LayerNorm(encoder.width, eps=settings.norm_eps)

    def forward(self, clips: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, [1 +] N or V, D), before the last norm."""
        return self.blocks[-1](self.before_last_block(clips, visible))

    def before_last_block(self, clips: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, [1 +] N or V, D): what the last block reads."""
        tokens = self._embed(clips, visible)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def block_outputs(self, clips: Tensor) -> list[Tensor]:
        """(B, C, T, H, W) -> (B, [1 +] N, D) behind each block; the last is that of ``forward``."""
        outputs = [self._embed(clips, None)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[1:]

    def _embed(self, clips: Tensor, visible: Tensor | None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, [1 +] N or V, D): what the first block reads."""
        self._check_shape(clips)
        patches, positions = self._patches(clips, visible), self.positions
        if visible is not None:
            positions = take_tokens(positions, visible)
        tokens = self.patch_embed(patches) + positions
        if self.class_token is not None:
            class_token = self.class_token.expand(tokens.shape[0], -1, -1).to(tokens.dtype)
            tokens = torch.cat([class_token, tokens], dim=1)
        return tokens

    def _patches(self, clips: Tensor, visible: Tensor | None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, N or V, values that ``patch_embed`` reads)."""
        settings = self.settings
        if visible is not None and (self.stem is not None or self.patch_norm is not None):
            # Before what reaches beyond a patch.
            clips = self._blanked(clips, visible)
        if self.stem is not None:
            frames = rearrange(clips, "b c t h w -> (b t) c h w")
            features = self.stem(frames.contiguous(memory_format=torch.channels_last))
            features = rearrange(features, "(b t) c h w -> b c t h w", b=len(clips))
            patches = patchify(features, settings.tubelet, 1)
        elif self.patch_norm is not None:
            shifted = with_shifted_copies(clips, settings.patch // 2)
            patches = self.patch_norm(patchify(shifted, settings.tubelet, settings.patch))
        else:
            patches = patchify(clips, settings.tubelet, settings.patch)
        return patches if visible is None else take_tokens(patches, visible)

    def _blanked(self, clips: Tensor, visible: Tensor) -> Tensor:
        """(B, C, T, H, W), indices (B, V) -> the same with zeros in all other patches."""
        settings = self.settings
        patches = patchify(clips, settings.tubelet, settings.patch)
        kept = patches.new_zeros(patches.shape[:2]).scatter_(1, visible, 1.0)
        return unpatchify(patches * kept.unsqueeze(-1), settings.grid, settings.tubelet, settings.patch)

    def _check_shape(self, clips: Tensor) -> None:
        settings = self.settings
        needed = (settings.channels, settings.frames, settings.image_size, settings.image_size)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != needed:
            raise ValueError(f"clips are {tuple(clips.shape)}, the model reads (batch, {str(needed)[1:]}")


class Decoder(nn.Module):
    """Encoded visible tokens, and a learned mask token at each hidden position -> the hidden patches."""

    positions: Tensor

    def __init__(self, settings: ModelSettings | CvtSettings, encoder_width: int):
        super().__init__()
        decoder = settings.decoder
        self.embed = nn.Linear(encoder_width, decoder.width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        kind = "sincos_2d" if settings.positions == "learned" else settings.positions
        table = position_table(kind, settings.grid, decoder.width, settings.position_grid)
        self.register_buffer("positions", table.unsqueeze(0), persistent=False)
        self.blocks = nn.ModuleList(
            Block(
                decoder.width,
                decoder.heads,
                mlp_ratio=decoder.mlp_ratio,
                qkv_bias=settings.qkv_bias,
                norm_eps=settings.norm_eps,
            )
            for _ in range(decoder.depth)
        )
        self.norm = nn.LayerNorm(decoder.width, eps=settings.norm_eps)
        self.predict = nn.Linear(decoder.width, settings.patch_values)

    def forward(self, tokens: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """(B, [1 +] V, D), indices (B, V) and (B, M) -> (B, M, P)."""
        tokens = self.embed(tokens)
        num_class_tokens = tokens.shape[1] - visible.shape[1]
        class_tokens, tokens = tokens.tensor_split([num_class_tokens], dim=1)
        tokens = tokens + take_tokens(self.positions, visible)
        masked = self.mask_token + take_tokens(self.positions, hidden)
        tokens = torch.cat([class_tokens, tokens, masked.to(tokens.dtype)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.predict(self.norm(tokens[:, -hidden.shape[1] :]))


class MaskedAutoencoder(Network):
    """A shared encoder with a classifier and a pixel decoder; clips come normalised by ``pixels.py``.

    The encoder's last norm stands before the decoder, and before what the classifier reads (MAE, SupMAE);
    with the mean of all tokens the classifier has its own norm after it instead (VideoMAE).
    """

    settings: ModelSettings
    decoder: Decoder | None
    decoder_prefix: ClassVar[str | None] = "decoder."

    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        with_mean = settings.pooling == "mean"
        self.head_norm = nn.LayerNorm(settings.encoder.width, eps=settings.norm_eps) if with_mean else None
        self.head = HEADS[settings.head](settings.encoder, settings.num_classes)
        self.decoder = Decoder(settings, settings.encoder.width)
        # Weights about to be loaded need no draw, which on the meta device imports torch's compiler.
        if not next(self.parameters()).is_meta:
            self.apply(initialize_as_mae)
            if isinstance(self.head, nn.Linear):
                nn.init.trunc_normal_(self.head.weight, std=0.02)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, classes), from all tokens."""
        return self._logits(self.encoder(clips))

    @property
    def feature_width(self) -> int:
        """D, of the features that the classifier reads."""
        return self.settings.encoder.width

    def features(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, D): what the classifier reads."""
        return self._pooled(self.encoder(clips))

    def classify_with_maps(self, clips: Tensor) -> tuple[Tensor, FeatureMaps]:
        """(B, C, T, H, W) -> logits (B, classes), and the patch tokens behind every block as maps.

        The final map is normalised where the classifier reads normalised tokens.
        """
        outputs = self.encoder.block_outputs(clips)
        final = outputs[-1] if self.head_norm is not None else self.encoder.norm(outputs[-1])
        blocks = tuple(self._as_map(tokens) for tokens in outputs)
        return self._logits(outputs[-1]), FeatureMaps(blocks, self._as_map(final))

    def classify_visible(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, N) bool -> logits (B, classes), from the visible tokens alone."""
        visible, _ = split_tokens(mask)
        return self._logits(self.encoder(clips, visible))

    def reconstruct(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, N) bool -> (B, M, P): predictions of the hidden tokens, in ascending order."""
        visible, hidden = split_tokens(mask)
        return self._predictions(self.encoder(clips, visible), visible, hidden)

    def classify_and_reconstruct(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), predictions (B, M, P): both from one pass over the visible tokens."""
        visible, hidden = split_tokens(mask)
        tokens = self.encoder(clips, visible)
        return self._logits(tokens), self._predictions(tokens, visible, hidden)

    def evidence_map(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, t, h, w) >= 0: Grad-CAM at the last block's input, over the token grid."""
        encoder = self.encoder
        evidence = activation_times_gradient(
            clips,
            lambda clips: (encoder.before_last_block(clips),),
            lambda tokens: self._logits(encoder.blocks[-1](tokens)),
        )
        cells = evidence.sum(dim=-1)[:, -self.settings.num_tokens :].clamp_min(0.0)
        steps, rows, columns = self.settings.grid
        return rearrange(cells, "b (t h w) -> b t h w", t=steps, h=rows, w=columns)

    def layer_numbers(self) -> dict[str, int]:
        """0 of what makes tokens, 1 … of the encoder's blocks, by name of a parameter."""
        numbers: dict[str, int] = {}
        for name, _ in self.named_parameters():
            if name.startswith(PIXEL_SIDE):
                numbers[name] = 0
            elif name.startswith("encoder.blocks."):
                numbers[name] = int(name.split(".")[2]) + 1
        return numbers

    def self_test_logits(self, clips: Tensor) -> Tensor:
        """Tokens spread over the clip suffice to notice changed weights, positions, patch order or pixels."""
        num_tokens = self.settings.num_tokens
        visible = np.linspace(0, num_tokens - 1, min(SELF_TEST_TOKENS, num_tokens)).astype(int)
        mask = torch.ones(1, num_tokens, dtype=torch.bool, device=clips.device)
        mask[:, visible] = False
        return self.classify_visible(clips, mask)

    def unreached(self, *, classifies: bool, reconstructs: bool) -> tuple[str, ...]:
        """The classifier without classes; without a decoder also the norm that serves it alone."""
        if not classifies:
            return "head.", "head_norm."
        if not reconstructs:
            # With mean pooling the classifier has a norm of its own.
            return "decoder.", *(("encoder.norm.",) if self.head_norm is not None else ())
        return ()

    def convolutional_stem(self) -> nn.Module | None:
        """The hybrid ViT's."""
        return self.encoder.stem

    def autoencoder(self) -> MaskedAutoencoder | None:
        """Itself, until the decoder is dropped."""
        return None if self.decoder is None else self

    def drop_decoder(self) -> None:
        """Removes what classification does not need; ``reconstruct`` is impossible afterwards."""
        self.decoder = None

    def _logits(self, tokens: Tensor) -> Tensor:
        features = self._pooled(tokens)
        # Outside autocast: bf16 logits have 8 bits, and many videos would share one probability.
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.to(next(self.head.parameters()).dtype))

    def _as_map(self, tokens: Tensor) -> Tensor:
        """(B, [1 +] N, D) -> (B, D, t, h, w), without the class token."""
        steps, rows, columns = self.settings.grid
        patches = tokens[:, -self.settings.num_tokens :]
        return rearrange(patches, "b (t h w) d -> b d t h w", t=steps, h=rows, w=columns)

    def _pooled(self, tokens: Tensor) -> Tensor:
        """(B, [1 +] N or V, D) before the last norm -> (B, D): what the classifier reads."""
        if self.head_norm is not None:
            return self.head_norm(tokens.mean(dim=1))
        if self.settings.pooling == "class_token":
            return self.encoder.norm(tokens[:, 0])
        return self.encoder.norm(tokens[:, 1:]).mean(dim=1)

    def _predictions(self, tokens: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        if self.decoder is None:
            raise ValueError("the decoder was dropped: this model only classifies")
        return self.decoder(self.encoder.norm(tokens), visible, hidden)


def initialize_as_mae(module: nn.Module) -> None:
    """MAE's initialisation: Xavier-uniform matrices, zero biases, small normal tokens."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Encoder):
        for learned in (module.class_token, module.positions):
            if isinstance(learned, nn.Parameter):
                nn.init.normal_(learned, std=0.02)
    elif isinstance(module, Decoder):
        nn.init.normal_(module.mask_token, std=0.02)
