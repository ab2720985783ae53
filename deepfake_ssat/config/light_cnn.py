"""The light CNN whose maps guide a transformer."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_ssat.config.model import check_statistics


class LightCnnSettings(BaseModel):
    """ResNet for small pictures (He et al. 2016, section 4.2): 6 n + 2 layers in three stages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["light_cnn"] = "light_cnn"
    frames: Literal[1] = 1
    image_size: int = Field(32, ge=4)
    channels: int = Field(3, ge=1)
    num_classes: int = Field(2, ge=2)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of pixels in [0, 1]; one value serves all channels."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    depth: int = 56
    width: int = Field(16, ge=1)
    """Of the first stage; the others have twice and four times as many channels."""
    pixels_per_patch: ClassVar[int | None] = None
    """None: nothing is hidden and reconstructed."""

    @model_validator(mode="after")
    def _check(self) -> LightCnnSettings:
        if self.depth < 8 or (self.depth - 2) % 6:
            raise ValueError(f"depth {self.depth} is not 6 n + 2, such as 20 or 56")
        check_statistics(self.mean, self.std, self.channels)
        return self
