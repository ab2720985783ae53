"""The geometry of one masked autoencoder: sizes, positions, pooling and decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PRESETS: dict[str, tuple[int, int, int]] = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}
"""Encoder width, depth and heads by name (ViT-T, S, B, L)."""

STEM_STRIDE = 32
"""Pixels per cell of a convolutional stem's features."""
STEM_CHANNELS = 320
"""Of those features."""
SHIFTED_COPIES = 5
"""A picture and its four shifts."""


class EncoderSettings(BaseModel):
    """A plain ViT over tubelets; an image is a clip of one frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["tiny", "small", "base", "large"] | None = None
    """Fills width, depth and heads; leave out to give all three."""
    width: int = Field(0, ge=0)
    depth: int = Field(0, ge=0)
    heads: int = Field(0, ge=0)
    mlp_ratio: float = Field(4.0, gt=0)
    drop_path: float = Field(0.0, ge=0.0, lt=1.0)
    """Stochastic depth: the rate of the last block; the first has 0."""
    shifted_patches: bool = False
    """SL-ViT's tokenisation: a patch comes with those of four pictures moved by half a patch."""
    locality_attention: bool = False
    """SL-ViT's attention: no token attends to itself, and each head learns its temperature."""

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: dict) -> dict:
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            width, depth, heads = PRESETS[values["preset"]]
            values = {"width": width, "depth": depth, "heads": heads, **values}
        return values

    @model_validator(mode="after")
    def _check_width(self) -> EncoderSettings:
        if min(self.width, self.depth, self.heads) < 1:
            raise ValueError("give a preset (tiny, small, base, large) or width, depth and heads")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class DecoderSettings(BaseModel):
    """The shallow decoder, dropped at inference.

    The paper's, and the default: depth 2, width 128, 16 heads. VideoMAE's: depth 4, half the encoder's width,
    64 channels per head (ViT-B: width 384, 6 heads).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(128, ge=1)
    depth: int = Field(2, ge=1)
    heads: int = Field(16, ge=1)
    mlp_ratio: float = Field(4.0, gt=0)

    @model_validator(mode="after")
    def _check_width(self) -> DecoderSettings:
        if self.width % self.heads:
            raise ValueError(f"decoder width {self.width} is not a multiple of heads {self.heads}")
        return self


class ModelSettings(BaseModel):
    """Everything needed to build the network again from a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["masked_autoencoder"] = "masked_autoencoder"
    frames: int = Field(16, ge=1)
    image_size: int = Field(224, ge=1)
    channels: int = Field(3, ge=1)
    tubelet: int = Field(2, ge=1)
    """Frames per token."""
    patch: int = Field(16, ge=1)
    """Side of a token's patch in pixels."""
    stem: Literal["linear", "efficientnet_lite0"] = "linear"
    """What turns pixels into tokens: VideoMAE's linear map of each patch, or convolutions over each frame.

    The convolutions (a hybrid ViT: Dosovitskiy et al., ICLR 2021, section 3.1) see a clip whose hidden
    patches are blank, so that nothing of them reaches the decoder; 32 x 32 pixels become one patch.
    """
    num_classes: int = Field(2, ge=2)
    pooling: Literal["mean", "class_token", "patch_mean"] = "mean"
    """What the classifier reads: VideoMAE's mean of all tokens, MAE's class token, or SupMAE's mean of the
    patch tokens beside a class token that it does not read."""
    head: Literal["linear", "mlp_batch_norm"] = "linear"
    """The classifier: one linear map, or SupMAE's two layers with batch normalisation between them."""
    positions: Literal["sincos_1d", "sincos_2d", "sincos_3d", "learned"] = "sincos_1d"
    """Fixed table: VideoMAE's over the flat token index, MAE's over the grid, or one over time and grid.

    Or learned ones, as the ViTs have that others trained to classify; the decoder then has MAE's table.
    """
    position_grid: tuple[int, int, int] | None = None
    """Grid (time, rows, columns) that the table is computed on, and interpolated from to the model's own.

    For weights that were trained on another grid, such as (8, 14, 14) for the published VideoMAE; left out,
    the table is computed on the model's grid.
    """
    qkv_bias: Literal["qkv", "qv", "none"] = "qv"
    """Which projections have a bias: MAE's all three, VideoMAE's query and value, or none."""
    norm_eps: float = Field(1e-6, gt=0)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of pixels in [0, 1]; one value serves all channels."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    encoder: EncoderSettings
    decoder: DecoderSettings = DecoderSettings()  # pyright: ignore[reportCallIssue]

    @model_validator(mode="after")
    def _check_grid(self) -> ModelSettings:
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        if self.frames % self.tubelet:
            raise ValueError(f"frames {self.frames} is not a multiple of tubelet {self.tubelet}")
        if self.num_tokens // self.grid[0] < 2:
            raise ValueError(f"patch {self.patch} covers image_size {self.image_size}: take a smaller patch")
        check_statistics(self.mean, self.std, self.channels)
        return self

    @model_validator(mode="after")
    def _check_stem(self) -> ModelSettings:
        if self.stem != "linear":
            for name, needed in (("patch", STEM_STRIDE), ("channels", 3)):
                if getattr(self, name) != needed:
                    raise ValueError(f"{name} is {getattr(self, name)}, stem {self.stem} needs {needed}")
            if self.encoder.shifted_patches:
                raise ValueError(
                    f"encoder.shifted_patches is for pixels, stem {self.stem} has none: set it false"
                )
        if self.encoder.shifted_patches and self.patch < 2:
            raise ValueError("encoder.shifted_patches shifts by half a patch, patch is 1: take a larger one")
        return self

    @model_validator(mode="after")
    def _check_positions(self) -> ModelSettings:
        if self.position_grid is not None and min(self.position_grid) < 1:
            raise ValueError(f"position_grid {self.position_grid} must hold positive numbers")
        if self.position_grid is not None and self.positions == "learned":
            raise ValueError("position_grid is of a fixed table, positions are learned: leave it out")
        divisor = {"sincos_1d": 1, "sincos_2d": 4, "sincos_3d": 16, "learned": 4}[self.positions]
        for name, width in (("encoder", self.encoder.width), ("decoder", self.decoder.width)):
            if width % divisor:
                raise ValueError(
                    f"{name} width {width} is not a multiple of {divisor}, as {self.positions} needs"
                )
        return self

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens over time, height and width."""
        side = self.image_size // self.patch
        return self.frames // self.tubelet, side, side

    @property
    def num_tokens(self) -> int:
        """Tokens of one clip, without the class token."""
        steps, rows, columns = self.grid
        return steps * rows * columns

    @property
    def embedded(self) -> tuple[int, int]:
        """Channels, and side of the square, of what is embedded per frame: pixels, or a cell of features."""
        if self.stem != "linear":
            return STEM_CHANNELS, 1
        return self.channels * (SHIFTED_COPIES if self.encoder.shifted_patches else 1), self.patch

    @property
    def pixels_per_patch(self) -> int:
        """Pixels under one token, all of which are hidden and reconstructed together."""
        return self.tubelet * self.patch * self.patch

    @property
    def patch_values(self) -> int:
        """Pixel values under one token."""
        return self.pixels_per_patch * self.channels


def check_statistics(mean: tuple[float, ...], std: tuple[float, ...], channels: int) -> None:
    """Raises ValueError where pixels of so many channels cannot be normalised by them."""
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise ValueError(f"{name} has {len(values)} values, channels is {channels}")
    if min(std) <= 0:
        raise ValueError(f"std {std} must be positive")
