"""The baselines of table 8: networks from timm that judge single frames of a clip."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_ssat.config.hierarchical import PatchSettings
from deepfake_ssat.config.light_cnn import LightCnnSettings
from deepfake_ssat.config.model import check_statistics


class _FrameNetwork(BaseModel):
    """What every network of frames has: which clips it reads, and which of their frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(16, ge=1)
    """Frames of a clip."""
    frames_used: int = Field(4, ge=1)
    """So many of them, spread evenly, are judged; the clip's logits are their mean."""
    image_size: int = Field(224, ge=1)
    channels: int = Field(3, ge=1)
    num_classes: int = Field(2, ge=2)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of pixels in [0, 1]; one value serves all channels."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    pixels_per_patch: ClassVar[int | None] = None
    """None: nothing is hidden and reconstructed."""

    @model_validator(mode="after")
    def _check_pixels(self) -> _FrameNetwork:
        if self.frames_used > self.frames:
            raise ValueError(f"frames_used {self.frames_used} is more than the clip's frames {self.frames}")
        check_statistics(self.mean, self.std, self.channels)
        return self


class FrameClassifierSettings(_FrameNetwork):
    """One network of timm on single frames, such as the DFDC winner's EfficientNet-B7."""

    kind: Literal["frame_classifier"] = "frame_classifier"
    backbone: str = "tf_efficientnet_b7"
    """Name of a convolutional network in timm."""
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Before the classifier."""
    drop_path: float = Field(0.0, ge=0.0, lt=1.0)
    """Stochastic depth of the backbone, where it has that."""


class BranchSettings(BaseModel):
    """One branch of a Cross-Efficient-ViT: a feature map, cut into patches, and its transformer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stride: int = Field(ge=1)
    """Pixels under one cell of the feature map; the backbone's largest is that of its last map."""
    patch: int = Field(ge=1)
    """Side of a token's patch in cells of the map."""
    width: int = Field(ge=1)
    depth: int = Field(ge=1)
    """Blocks in each round."""
    heads: int = Field(ge=1)
    mlp_width: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_width(self) -> BranchSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class CrossEfficientVitSettings(_FrameNetwork):
    """Two branches over an EfficientNet's maps whose class tokens look at each other's patches.

    The defaults are those of the authors' published configuration.
    """

    kind: Literal["cross_efficient_vit"] = "cross_efficient_vit"
    backbone: str = "efficientnet_b0"
    """Name of an EfficientNet in timm; each branch has its own, cut off behind the map it reads."""
    small: BranchSettings = BranchSettings(stride=32, patch=7, width=192, depth=2, heads=8, mlp_width=2048)
    large: BranchSettings = BranchSettings(stride=4, patch=56, width=384, depth=3, heads=8, mlp_width=2048)
    rounds: int = Field(4, ge=1)
    """How often the branches go through their blocks and then exchange."""
    cross_depth: int = Field(2, ge=1)
    """Exchanges in each round."""
    cross_heads: int = Field(8, ge=1)
    dropout: float = Field(0.15, ge=0.0, lt=1.0)
    """Of the embedded tokens, and of the class tokens before the classifiers."""

    @model_validator(mode="after")
    def _check_patches(self) -> CrossEfficientVitSettings:
        for name in ("small", "large"):
            branch: BranchSettings = getattr(self, name)
            side = branch.stride * branch.patch
            if self.image_size % side:
                raise ValueError(
                    f"image_size {self.image_size} is not a multiple of the {side} pixels under a patch of "
                    f"{name} (stride {branch.stride} × patch {branch.patch})"
                )
            if branch.width % self.cross_heads:
                raise ValueError(
                    f"{name} width {branch.width} is not a multiple of cross_heads {self.cross_heads}"
                )
        return self

    def num_patches(self, branch: BranchSettings) -> int:
        """Tokens of one frame in a branch, without the class token."""
        return (self.image_size // (branch.stride * branch.patch)) ** 2


NetworkSettings = PatchSettings | FrameClassifierSettings | CrossEfficientVitSettings | LightCnnSettings
"""The settings of any network that the trainer trains, told apart by their ``kind``."""
