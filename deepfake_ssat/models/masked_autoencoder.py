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

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.patches import patchify, split_tokens, take_tokens, unpatchify
from deepfake_ssat.models.positions import position_table

SELF_TEST_TOKENS = 48


class Encoder(nn.Module):
    """Patches -> tokens with positions -> blocks; encodes all tokens of a clip or some of them."""

    positions: Tensor

    def __init__(self, settings: ModelSettings):
        super().__init__()
        encoder = settings.encoder
        self.settings = settings
        self.stem = EfficientNetLite() if settings.stem == "efficientnet_lite0" else None
        channels, side = settings.embedded
        self.patch_embed = nn.Linear(settings.tubelet * side * side * channels, encoder.width)
        with_class_token = settings.pooling == "class_token"
        self.class_token = nn.Parameter(torch.zeros(1, 1, encoder.width)) if with_class_token else None
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
            )
            for index in range(encoder.depth)
        )
        self.norm = nn.LayerNorm(encoder.width, eps=settings.norm_eps)

    def forward(self, clips: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, [1 +] N or V, D), before the last norm."""
        return self.blocks[-1](self.before_last_block(clips, visible))

    def before_last_block(self, clips: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, [1 +] N or V, D): what the last block reads."""
        self._check_shape(clips)
        patches, positions = self._patches(clips, visible), self.positions
        if visible is not None:
            positions = take_tokens(positions, visible)
        tokens = self.patch_embed(patches) + positions
        if self.class_token is not None:
            class_token = self.class_token.expand(tokens.shape[0], -1, -1).to(tokens.dtype)
            tokens = torch.cat([class_token, tokens], dim=1)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def _patches(self, clips: Tensor, visible: Tensor | None) -> Tensor:
        """(B, C, T, H, W) [, indices (B, V)] -> (B, N or V, values that ``patch_embed`` reads)."""
        settings = self.settings
        patches = patchify(clips, settings.tubelet, settings.patch)
        if self.stem is None:
            return patches if visible is None else take_tokens(patches, visible)
        if visible is not None:
            # Blank before the convolutions, which reach beyond a patch.
            kept = patches.new_zeros(patches.shape[:2]).scatter_(1, visible, 1.0)
            clips = unpatchify(patches * kept.unsqueeze(-1), settings.grid, settings.tubelet, settings.patch)
        frames = rearrange(clips, "b c t h w -> (b t) c h w").contiguous(memory_format=torch.channels_last)
        features = rearrange(self.stem(frames), "(b t) c h w -> b c t h w", b=len(clips))
        cells = patchify(features, settings.tubelet, 1)
        return cells if visible is None else take_tokens(cells, visible)

    def _check_shape(self, clips: Tensor) -> None:
        settings = self.settings
        needed = (settings.channels, settings.frames, settings.image_size, settings.image_size)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != needed:
            raise ValueError(f"clips are {tuple(clips.shape)}, the model reads (batch, {str(needed)[1:]}")


class Decoder(nn.Module):
    """Encoded visible tokens, and a learned mask token at each hidden position -> the hidden patches."""

    positions: Tensor

    def __init__(self, settings: ModelSettings):
        super().__init__()
        decoder = settings.decoder
        self.embed = nn.Linear(settings.encoder.width, decoder.width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        table = position_table(settings.positions, settings.grid, decoder.width, settings.position_grid)
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

    The encoder's last norm stands before the class token's classifier (MAE) and before the decoder; with mean
    pooling the classifier has its own norm after the mean instead (VideoMAE).
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
        self.head = nn.Linear(settings.encoder.width, settings.num_classes)
        self.decoder = Decoder(settings)
        # Weights about to be loaded need no draw, which on the meta device imports torch's compiler.
        if not self.head.weight.is_meta:
            self.apply(_initialize)
            nn.init.trunc_normal_(self.head.weight, std=0.02)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, classes), from all tokens."""
        return self._logits(self.encoder(clips))

    def classify_visible(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, N) bool -> logits (B, classes), from the visible tokens alone."""
        visible, _ = split_tokens(mask)
        return self._logits(self.encoder(clips, visible))

    def reconstruct(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, N) bool -> (B, M, P): predictions of the hidden tokens, in ascending order."""
        visible, hidden = split_tokens(mask)
        return self._predictions(self.encoder(clips, visible), visible, hidden)

    def classify_and_reconstruct(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), predictions (B, M, P): both from one pass over the visible tokens (SupMAE)."""
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
        """0 of stem, patch embedding and class token, 1 … of the encoder's blocks, by name of a parameter."""
        numbers: dict[str, int] = {}
        for name, _ in self.named_parameters():
            if name.startswith(("encoder.stem.", "encoder.patch_embed.", "encoder.class_token")):
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

    def convolutional_stem(self) -> EfficientNetLite | None:
        """The hybrid ViT's."""
        return self.encoder.stem

    def autoencoder(self) -> MaskedAutoencoder | None:
        """Itself, until the decoder is dropped."""
        return None if self.decoder is None else self

    def drop_decoder(self) -> None:
        """Removes what classification does not need; ``reconstruct`` is impossible afterwards."""
        self.decoder = None

    def _logits(self, tokens: Tensor) -> Tensor:
        if self.head_norm is None:
            features = self.encoder.norm(tokens[:, 0])
        else:
            features = self.head_norm(tokens.mean(dim=1))
        # Outside autocast: bf16 logits have 8 bits, and many videos would share one probability.
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.to(self.head.weight.dtype))

    def _predictions(self, tokens: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        if self.decoder is None:
            raise ValueError("the decoder was dropped: this model only classifies")
        return self.decoder(self.encoder.norm(tokens), visible, hidden)


def _initialize(module: nn.Module) -> None:
    """MAE's initialisation: Xavier-uniform matrices, zero biases, small normal tokens."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Encoder) and module.class_token is not None:
        nn.init.normal_(module.class_token, std=0.02)
    elif isinstance(module, Decoder):
        nn.init.normal_(module.mask_token, std=0.02)
