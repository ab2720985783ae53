"""CvT on single pictures, with ConvMAE's decoder: what is visible in all stages, then MAE's decoder.

CvT: Wu et al., ICCV 2021. ConvMAE: Gao et al., NeurIPS 2022, whose stages are joined before the decoder.
B batch, C channels, H W pixels, N cells of the last stage, M hidden ones, D width, P pixel values of a patch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from einops import rearrange
from torch import Tensor, nn

from deepfake_ssat.config.hierarchical import CvtSettings
from deepfake_ssat.models.cvt_encoder import CvtEncoder
from deepfake_ssat.models.encoder_weights import load_encoder_weights
from deepfake_ssat.models.evidence import activation_times_gradient
from deepfake_ssat.models.heads import full_logits
from deepfake_ssat.models.network import FeatureMaps, Network
from deepfake_ssat.models.patches import split_tokens, take_tokens
from deepfake_ssat.models.vit import Decoder, initialize_as_mae

# Applied one after the other. Of the authors' files, and of Hugging Face's.
_RENAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(?:cvt\.)?encoder\.stages\.(\d+)\.layers\.", r"encoder.stages.\1.blocks."),  # Hugging Face
        (r"^cvt\.encoder\.", "encoder."),
        (r"\.embedding\.convolution_embeddings\.projection\.", ".projection."),
        (r"\.embedding\.convolution_embeddings\.normalization\.", ".norm."),
        (r"\.attention\.attention\.convolution_projection_(query|key|value)\.", r".attention.\1."),
        (r"\.convolution_projection\.convolution\.", ".convolution."),
        (r"\.convolution_projection\.normalization\.", ".norm."),
        (r"\.attention\.attention\.projection_(query|key|value)\.", r".attention.\1.linear."),
        (r"\.attention\.output\.dense\.", ".attention.projection."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"^layernorm\.", "head_norm."),
        (r"^classifier\.", "head."),
        (r"^stage(\d+)\.", r"encoder.stages.\1."),  # the authors
        (r"\.patch_embed\.proj\.", ".projection."),
        (r"\.patch_embed\.norm\.", ".norm."),
        (r"\.attn\.conv_proj_q\.", ".attention.query."),
        (r"\.attn\.conv_proj_k\.", ".attention.key."),
        (r"\.attn\.conv_proj_v\.", ".attention.value."),
        (r"\.conv\.weight$", ".convolution.weight"),
        (r"\.bn\.", ".norm."),
        (r"\.attn\.proj_q\.", ".attention.query.linear."),
        (r"\.attn\.proj_k\.", ".attention.key.linear."),
        (r"\.attn\.proj_v\.", ".attention.value.linear."),
        (r"\.attn\.proj\.", ".attention.projection."),
        (r"^norm\.", "head_norm."),
        (r"^encoder\.stages\.\d+\.cls_token$", "encoder.class_token"),  # both
    )
)


class ConvmaeDecoder(nn.Module):
    """The visible cells of all stages, brought to the last one's grid and added; MAE's decoder behind."""

    def __init__(self, settings: CvtSettings):
        super().__init__()
        width, side = settings.widths[-1], settings.sides[-1]
        self.joins = nn.ModuleList(
            nn.Conv2d(own_width, width, own_side // side, stride=own_side // side)
            for own_width, own_side in zip(settings.widths[:-1], settings.sides[:-1], strict=True)
        )
        self.norm = nn.LayerNorm(width)
        self.transformer = Decoder(settings, settings.decoder, width)

    def forward(self, maps: list[Tensor], tokens: Tensor, mask: Tensor) -> Tensor:
        """[(B, D, h, w), …] of the earlier stages, (B, N, D) of the last, mask (B, N) -> (B, M, P)."""
        visible, hidden = split_tokens(mask)
        for join, cells in zip(self.joins, maps, strict=True):
            tokens = tokens + rearrange(join(cells), "b d h w -> b (h w) d")
        return self.transformer(self.norm(take_tokens(tokens, visible)), visible, hidden)


class Cvt(Network):
    """CvT, a linear classifier on its class token, and ConvMAE's decoder."""

    settings: CvtSettings
    decoder: ConvmaeDecoder | None
    decoder_prefix: ClassVar[str | None] = "decoder."

    def __init__(self, settings: CvtSettings):
        super().__init__()
        self.settings = settings
        self.encoder = CvtEncoder(settings)
        self.head_norm = nn.LayerNorm(settings.widths[-1])
        self.head = nn.Linear(settings.widths[-1], settings.num_classes)
        self.decoder = ConvmaeDecoder(settings)
        if not self.head.weight.is_meta:
            self.apply(_initialize)
            self.decoder.transformer.apply(initialize_as_mae)

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> logits (B, classes), from the class token."""
        _, tokens = self.encoder(self._pictures(clips))
        return self._logits(tokens)

    @property
    def feature_width(self) -> int:
        """D, of the features that the classifier reads."""
        return self.settings.widths[-1]

    def features(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> (B, D): what the classifier reads."""
        _, tokens = self.encoder(self._pictures(clips))
        return self.head_norm(tokens[:, 0])

    def classify_with_maps(self, clips: Tensor) -> tuple[Tensor, FeatureMaps]:
        """(B, C, 1, H, W) -> logits (B, classes), and the maps of every stage.

        The last is that in front of the last block, which the class token reads; it is the final one too.
        """
        maps, tokens = self.encoder.before_last_block(self._pictures(clips))
        last = rearrange(tokens[:, 1:], "b (h w) d -> b d 1 h w", h=self.settings.sides[-1])
        blocks = (*(cells.unsqueeze(2) for cells in maps), last)
        return self._logits(self.encoder.last_block(tokens)), FeatureMaps(blocks, last)

    def reconstruct(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, 1, H, W), (B, N) bool -> (B, M, P): predictions of hidden patches, in ascending order."""
        maps, tokens = self.encoder(self._pictures(clips), ~mask)
        return self._predictions(maps, tokens, mask)

    def classify_and_reconstruct(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), predictions (B, M, P): both from one pass over what is visible."""
        maps, tokens = self.encoder(self._pictures(clips), ~mask)
        return self._logits(tokens), self._predictions(maps, tokens, mask)

    def evidence_map(self, clips: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, C, 1, H, W) -> (B, 1, h, w) >= 0: Grad-CAM at the last block's input."""
        evidence = activation_times_gradient(
            clips,
            lambda clips: (self.encoder.before_last_block(self._pictures(clips))[1],),
            lambda tokens: self._logits(self.encoder.last_block(tokens)),
            classes,
        )
        cells = evidence.sum(dim=-1)[:, 1:].clamp_min(0.0)
        return rearrange(cells, "b (h w) -> b 1 h w", h=self.settings.grid[1])

    def layer_numbers(self) -> dict[str, int]:
        """The blocks of all stages, from 0 on; embeddings and class token go with a stage's first."""
        depths = self.settings.depths
        numbers: dict[str, int] = {}
        for name, _ in self.encoder.named_parameters():
            stage, block = len(depths) - 1, 0
            if name.startswith("stages."):
                _, own, part, number, *_ = name.split(".")
                stage, block = int(own), int(number) if part == "blocks" else 0
            numbers[f"encoder.{name}"] = sum(depths[:stage]) + block
        return numbers

    def unreached(self, *, classifies: bool, reconstructs: bool) -> tuple[str, ...]:
        """The classifier without classes; or the decoder, with the last queries of cells, which serve it."""
        if not classifies:
            return "head.", "head_norm."
        if not reconstructs:
            stage, block = len(self.settings.depths) - 1, self.settings.depths[-1] - 1
            query = f"encoder.stages.{stage}.blocks.{block}.attention.query"
            return "decoder.", f"{query}.convolution.", f"{query}.norm."
        return ()

    def autoencoder(self) -> Cvt | None:
        """Itself, until the decoder is dropped."""
        return None if self.decoder is None else self

    def drop_decoder(self) -> None:
        """Removes what classification does not need; ``reconstruct`` is impossible afterwards."""
        self.decoder = None

    def _pictures(self, clips: Tensor) -> Tensor:
        """(B, C, 1, H, W) -> (B, C, H, W); raises ValueError for another size."""
        settings = self.settings
        needed = (settings.channels, settings.frames, settings.image_size, settings.image_size)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != needed:
            raise ValueError(f"clips are {tuple(clips.shape)}, the model reads (batch, {str(needed)[1:]}")
        return clips.squeeze(2)

    def _logits(self, tokens: Tensor) -> Tensor:
        return full_logits(self.head, self.head_norm(tokens[:, 0]))

    def _predictions(self, maps: list[Tensor], tokens: Tensor, mask: Tensor) -> Tensor:
        if self.decoder is None:
            raise ValueError("the decoder was dropped: this model only classifies")
        return self.decoder(maps, tokens[:, 1:], mask)


def load_cvt_weights(model: Cvt, path: Path) -> list[str]:
    """Starts it from a file of CvT's authors, of Hugging Face, or of ours; what ``init`` calls.

    Raises CheckpointError where nothing fits.
    """
    return load_encoder_weights(model, path, _our_weights)


def _our_weights(weights: dict[str, Tensor], report: list[str]) -> dict[str, Tensor]:
    """Weights by their names in a file -> by ours, with statistics of masked passes where there are none."""
    ours = {}
    for name, value in weights.items():
        for pattern, replacement in _RENAMES:
            name = pattern.sub(replacement, name)
        ours[name] = value
    for name in [name for name in ours if name.endswith((".running_mean", ".running_var"))]:
        ours.setdefault(name.replace(".running_", ".masked_"), ours[name])
    return ours


def _initialize(module: nn.Module) -> None:
    """The published initialisation: small normal weights, zero biases."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, CvtEncoder):
        nn.init.trunc_normal_(module.class_token, std=0.02)
