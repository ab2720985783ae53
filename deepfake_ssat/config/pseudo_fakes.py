"""Which pseudo-fakes are made from genuine faces, and how strong they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Range = tuple[float, float]
Weight = Annotated[float, Field(ge=0.0)]


class PseudoFakeSettings(BaseModel):
    """Weights of the kinds, and the ranges that each fake draws its strength from.

    Lengths are parts of the face's width (the outline's, not the crop's).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    self_blend: Weight = 4.0
    """The face blended onto itself, changed in colour, sharpness, scale and place (SBI, CVPR 2022)."""
    swap: Weight = 2.0
    """Another person's face of similar pose, matched in colour; becomes self_blend without a donor."""
    region_warp: Weight = 1.5
    """Mouth, or eyes and brows, moved and smoothed, as expression transfer does."""
    resynthesis: Weight = 1.5
    """The face drawn anew at a low resolution and pasted back, as autoencoders do."""
    smoothing: Weight = 1.0
    """Skin texture lost, as behind the bottleneck of a neural renderer."""
    shift: Annotated[float, Field(ge=0.0, le=0.2)] = 0.025
    """Largest displacement of the pasted face."""
    scale: Annotated[float, Field(ge=0.0, le=0.3)] = 0.05
    """Largest relative change of its size."""
    opacity: Range = (0.5, 1.0)
    """How much of the pasted face replaces the original."""
    feather: Range = (0.01, 0.10)
    """Standard deviation of the mask's soft edge."""
    resolution: Range = (24.0, 96.0)
    """Pixels across the face that resynthesis keeps."""
    drift: Annotated[float, Field(ge=0.0, le=0.1)] = 0.01
    """Slow movement of the pasted face over a clip."""
    flicker: Annotated[float, Field(ge=0.0, le=1.0)] = 0.3
    """Share of the clips whose pasted face also trembles from frame to frame."""
    surroundings: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the fakes whose face stays and whose surroundings are changed instead.

    The seam is the same; that the face is the changed side cannot be learnt then.
    """

    @model_validator(mode="after")
    def _check(self) -> PseudoFakeSettings:
        if not any(self.weights().values()):
            raise ValueError(f"every weight is 0: give at least one of {', '.join(self.weights())}")
        for name, low, high in (("opacity", 0.05, 1.0), ("feather", 0.0, 0.5), ("resolution", 4.0, 4096.0)):
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ValueError(
                    f"{name} is {first:g} to {last:g}; it must ascend and lie in {low:g} to {high:g}"
                )
        return self

    def weights(self) -> dict[str, float]:
        """The weight of each kind."""
        kinds = ("self_blend", "swap", "region_warp", "resynthesis", "smoothing")
        return {kind: getattr(self, kind) for kind in kinds}
