"""Hierarchical encoders of table 1, on single pictures: Swin with SimMIM's decoder, CvT with ConvMAE's."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_ssat.config.model import DecoderSettings, ModelSettings, check_statistics


class _PictureNetwork(BaseModel):
    """What every network has that reads one picture and reconstructs hidden patches of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(1, ge=1)
    """Of a clip: 1, and nothing else."""
    image_size: int = Field(224, ge=1)
    channels: int = Field(3, ge=1)
    patch: int = Field(16, ge=1)
    """Side, in pixels, of the patches that are hidden and reconstructed; not of what is embedded."""
    num_classes: int = Field(2, ge=2)
    drop_path: float = Field(0.0, ge=0.0, lt=1.0)
    """Stochastic depth: the rate of the last block; the first has 0."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of pixels in [0, 1]; one value serves all channels."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    tubelet: ClassVar[int] = 1

    @model_validator(mode="after")
    def _check_picture(self) -> _PictureNetwork:
        if self.frames != 1:
            raise ValueError(
                f"frames is {self.frames}, this network reads single pictures: set model.frames to 1 "
                "(a frame of each face clip)"
            )
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        if self.num_tokens < 2:
            raise ValueError(f"patch {self.patch} covers image_size {self.image_size}: take a smaller patch")
        check_statistics(self.mean, self.std, self.channels)
        return self

    @property
    def grid(self) -> tuple[int, int, int]:
        """Patches over time, height and width."""
        side = self.image_size // self.patch
        return 1, side, side

    @property
    def num_tokens(self) -> int:
        """Patches of one picture."""
        return self.grid[1] * self.grid[2]

    @property
    def pixels_per_patch(self) -> int:
        """Pixels of one patch, all of which are hidden and reconstructed together."""
        return self.patch * self.patch

    @property
    def patch_values(self) -> int:
        """Pixel values of one patch."""
        return self.pixels_per_patch * self.channels


class UniformMasking(BaseModel):
    """UM-MAE's masking (Li et al. 2022), by which a masked pass reads a quarter of a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secondary_ratio: float = Field(0.25, ge=0.0, lt=1.0)
    """Of the patches that uniform sampling shows, one of each 2 × 2: those hidden all the same."""
    decoder: DecoderSettings = DecoderSettings()  # pyright: ignore[reportCallIssue]
    """Over the whole grid of patches. Its authors': depth 2, width 512, 16 heads."""


class SwinSettings(_PictureNetwork):
    """A Swin Transformer; the defaults are Swin-T at 224 pixels, with the hidden patches of SimMIM."""

    kind: Literal["swin"] = "swin"
    patch: int = Field(32, ge=1)
    """Side, in pixels, of the patches that are hidden and reconstructed: whole embedded ones."""
    embed_patch: int = Field(4, ge=1)
    """Side, in pixels, of what is embedded as one cell: Swin's patch size."""
    width: int = Field(96, ge=1)
    """Of the first stage; every later one has twice the width of the stage before."""
    depths: tuple[int, ...] = Field((2, 2, 6, 2), min_length=1)
    """Blocks of each stage; each but the first begins by joining 2 × 2 cells."""
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = Field(7, ge=1)
    """Side of an attention window in cells. What it does not divide is padded, as published."""
    mlp_ratio: float = Field(4.0, gt=0)
    uniform_masking: UniformMasking | None = None
    """How patches are hidden: UM-MAE's way; null is SimMIM's, at random with a mask token in their place."""
    positions: ClassVar[Literal["sincos_2d"]] = "sincos_2d"
    """Of UM-MAE's decoder, as all below: MAE's."""
    position_grid: ClassVar[None] = None
    qkv_bias: ClassVar[Literal["qkv"]] = "qkv"
    norm_eps: ClassVar[float] = 1e-6

    @model_validator(mode="after")
    def _check_stages(self) -> SwinSettings:
        if len(self.heads) != len(self.depths) or min(*self.depths, *self.heads) < 1:
            raise ValueError(
                f"depths {self.depths} and heads {self.heads} must hold one positive number for each stage"
            )
        for stage, heads in enumerate(self.heads):
            if self.width * 2**stage % heads:
                raise ValueError(
                    f"width {self.width * 2**stage} of stage {stage + 1} is not a multiple of heads {heads}"
                )
        if self.patch % self.embed_patch:
            raise ValueError(f"patch {self.patch} is not a multiple of embed_patch {self.embed_patch}")
        if self.image_size < self.stride:
            raise ValueError(
                f"image_size {self.image_size} is less than the {self.stride} pixels under a cell of stage "
                f"{len(self.depths)} (embed_patch {self.embed_patch}): take a smaller embed_patch"
            )
        return self

    @model_validator(mode="after")
    def _check_uniform_masking(self) -> SwinSettings:
        if self.uniform_masking is None:
            return self
        side = self.grid[1]
        if side % 2:
            raise ValueError(
                f"uniform_masking samples one patch of each 2 x 2, the grid has {side} patches a side "
                f"(patch {self.patch}): take a patch that makes it even"
            )
        if self.stride % self.patch:
            raise ValueError(
                f"uniform_masking needs whole patches under a cell of the last stage, {self.stride} pixels a "
                f"side: take a patch that divides them, patch is {self.patch}"
            )
        if self.image_size < 2 * self.stride:
            raise ValueError(
                f"uniform_masking makes a picture of {self.image_size // 2} pixels a side, a cell of the "
                f"last stage has {self.stride}: take a smaller embed_patch or a larger image_size"
            )
        width = self.uniform_masking.decoder.width
        if width % 4:
            raise ValueError(f"decoder width {width} is not a multiple of 4, as positions need")
        return self

    @property
    def stride(self) -> int:
        """Pixels under a cell of the last stage, along one side."""
        return self.embed_patch * 2 ** (len(self.depths) - 1)

    @property
    def last_width(self) -> int:
        """Width of the last stage."""
        return self.width * 2 ** (len(self.depths) - 1)


class CvtSettings(_PictureNetwork):
    """A CvT; the defaults are CvT-13 at 224 pixels. One number each for a stage."""

    kind: Literal["cvt"] = "cvt"
    widths: tuple[int, ...] = Field((64, 192, 384), min_length=1)
    depths: tuple[int, ...] = (1, 2, 10)
    heads: tuple[int, ...] = (1, 3, 6)
    kernels: tuple[int, ...] = (7, 3, 3)
    """Side of the convolution that begins a stage, in the cells of the stage before."""
    strides: tuple[int, ...] = (4, 2, 2)
    """Of it; the product of all is ``patch``: a hidden patch is a cell of the last stage."""
    paddings: tuple[int, ...] = (2, 1, 1)
    """Of it."""
    mlp_ratio: float = Field(4.0, gt=0)
    decoder: DecoderSettings = DecoderSettings()  # pyright: ignore[reportCallIssue]
    positions: ClassVar[Literal["sincos_2d"]] = "sincos_2d"
    """Of the decoder, as all below: MAE's, which ConvMAE took over. The encoder's convolutions need none."""
    position_grid: ClassVar[None] = None
    qkv_bias: ClassVar[Literal["qkv"]] = "qkv"
    norm_eps: ClassVar[float] = 1e-6

    @model_validator(mode="after")
    def _check_stages(self) -> CvtSettings:
        stages = len(self.widths)
        for name in ("widths", "depths", "heads", "kernels", "strides", "paddings"):
            values: tuple[int, ...] = getattr(self, name)
            least = 0 if name == "paddings" else 1
            if len(values) != stages or min(values) < least:
                raise ValueError(
                    f"{name} {values} must hold {stages} numbers, as widths does, of at least {least}"
                )
        for width, heads in zip(self.widths, self.heads, strict=True):
            if width % heads:
                raise ValueError(f"width {width} is not a multiple of its heads {heads}")
        if self.patch != prod(self.strides):
            raise ValueError(
                f"patch is {self.patch}, a cell of the last stage has {prod(self.strides)} pixels a side "
                f"(strides {self.strides}): set model.patch to {prod(self.strides)}, or other strides"
            )
        before = self.image_size
        for kernel, stride, padding, side in zip(
            self.kernels, self.strides, self.paddings, self.sides, strict=True
        ):
            if (before + 2 * padding - kernel) // stride + 1 != side:
                raise ValueError(
                    f"kernel {kernel}, stride {stride} and padding {padding} do not make {side} cells of "
                    f"{before}: set model.paddings so that they do, such as kernel // 2"
                )
            before = side
        if self.decoder.width % 4:
            raise ValueError(f"decoder width {self.decoder.width} is not a multiple of 4, as positions need")
        return self

    @property
    def sides(self) -> tuple[int, ...]:
        """Cells along one side of each stage's map."""
        return tuple(self.image_size // stride for stride in accumulate(self.strides, mul))


PatchSettings = ModelSettings | SwinSettings | CvtSettings
"""The settings of any network that can hide patches and reconstruct them."""
