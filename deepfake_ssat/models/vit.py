"""The two halves of a masked autoencoder: a ViT that encodes patches, and what predicts those it did not see.

B batch, C channels, T frames, H W pixels, N tokens, V visible and M hidden ones, D width, P patch values.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.hierarchical import PatchSettings
from deepfake_ssat.config.model import DecoderSettings, ModelSettings
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite
from deepfake_ssat.models.patches import patchify, take_tokens, unpatchify, with_shifted_copies
from deepfake_ssat.models.positions import position_table


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

    def __init__(self, settings: PatchSettings, decoder: DecoderSettings, encoder_width: int):
        super().__init__()
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
