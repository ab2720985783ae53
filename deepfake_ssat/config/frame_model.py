"""Networks of single frames: what the settings of all of them hold, and those of the light one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_ssat.config.model import check_statistics


class FrameNetworkSettings(BaseModel):
    """Which clips a network of frames reads, and which of their frames."""

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
    def _check_pixels(self) -> FrameNetworkSettings:
        if self.frames_used > self.frames:
            raise ValueError(f"frames_used {self.frames_used} is more than the clip's frames {self.frames}")
        check_statistics(self.mean, self.std, self.channels)
        return self


class FrameModelSettings(FrameNetworkSettings):
    """EfficientNet-Lite0, its mean over the picture, and a linear classifier: a frame by itself.

    The convolutions are those of a masked autoencoder's ``stem: efficientnet_lite0``, which can start from
    a trained frame model.
    """

    kind: Literal["frame_model"] = "frame_model"
    frames: int = Field(1, ge=1)
    frames_used: int = Field(1, ge=1)
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)
    """Before the classifier."""

    @model_validator(mode="after")
    def _check_channels(self) -> FrameModelSettings:
        if self.channels != 3:
            raise ValueError(f"channels is {self.channels}, a frame model needs 3")
        return self
