"""The extraction contract: every setting that decides which pixels a model sees."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_ssat.errors import ConfigError, ContractError


class ExtractionSettings(BaseModel):
    """How faces are found, followed and cropped; stored in manifests and checkpoints.

    Two sets of clips can be compared, and a model can read them, only under the same settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    """Raised when the code changes the crops that the same settings give."""
    frames: int = Field(16, ge=1)
    """Frames of one clip."""
    frame_stride: int = Field(1, ge=1)
    """Every which frame of the video a clip takes."""
    crop_size: int = Field(224, ge=16)
    """Side of the square crop, in pixels."""
    margin: float = Field(0.3, ge=0.0)
    """Added around the face box, as a part of its longer side: 0.3 makes the crop 1.3 times as wide."""
    detect_every: int = Field(8, ge=1)
    """Faces are detected in every which frame, and interpolated between."""
    detection_side: int = Field(640, ge=64)
    """Frames whose longer side is larger are shrunk to this before detection."""
    min_face_size: float = Field(40.0, gt=0)
    """Faces whose longer side is smaller, in source pixels, are left out."""
    min_confidence: float = Field(0.9, ge=0.0, le=1.0)
    """Detections below this are not used."""
    smoothing_frames: float = Field(8.0, ge=0.0)
    """Standard deviation, in frames, of the Gaussian that smooths a track's boxes; 0 switches it off."""

    def hash(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the settings in a canonical form."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def require_same(self, other: ExtractionSettings, *, ours: str, theirs: str) -> None:
        """Raises ContractError naming each field in which ``other`` differs."""
        differing = [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
        if differing:
            fields = "; ".join(
                f"{name} is {getattr(self, name)} in {ours} and {getattr(other, name)} in {theirs}"
                for name in differing
            )
            raise ContractError(
                f"extraction contracts differ: {fields}; preprocess again with the settings of {ours}"
            )


def parse_contract(values: dict[str, Any]) -> ExtractionSettings:
    """Settings from stored JSON; raises ContractError where this version cannot honour them."""
    try:
        return ExtractionSettings(**values)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ContractError(f"extraction contract cannot be honoured by this version: {reason}") from error


def parse_clips(text: str) -> int | None:
    """``all`` is None; anything but a positive number else raises ConfigError."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--clips {text}: give a number from 1, or all")
    return int(text)
