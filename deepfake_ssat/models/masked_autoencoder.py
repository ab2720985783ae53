"""The one network for clips and images: ViT encoder, classifier, and a shallow decoder for hidden patches.

An image is a clip of one frame with a tubelet of one frame.
B batch, C channels, T frames, H W pixels, N tokens, V visible and M hidden ones, D width, P patch values.
"""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.models.blocks import Block, TokenBlocks
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.heads import HEADS, full_logits
from deepfake_ssat.models.network import FeatureMaps, Network
from deepfake_ssat.models.patches import split_tokens
from deepfake_ssat.models.vit import Decoder, Encoder, initialize_as_mae

SELF_TEST_TOKENS = 48
PIXEL_SIDE = ("encoder.stem.", "encoder.patch_", "encoder.class_token", "encoder.positions")
"""Beginnings of the names of what is before the blocks."""


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
        self.decoder = Decoder(settings, settings.decoder, settings.encoder.width)
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

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, T, H, W) -> (B, t, h, w) >= 0: Grad-CAM at the last block's input, over the token grid."""
        encoder = self.encoder
        evidence = activation_times_gradient(
            clips,
            lambda clips: (encoder.before_last_block(clips),),
            lambda tokens: self._logits(encoder.blocks[-1](tokens)),
            classes,
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

    def token_blocks(self) -> TokenBlocks:
        """The encoder's."""
        settings = self.settings
        blocks = cast(tuple[Block, ...], tuple(self.encoder.blocks))
        return TokenBlocks(blocks, settings.grid, settings.tubelet, settings.patch)

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
        return full_logits(self.head, self._pooled(tokens))

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
