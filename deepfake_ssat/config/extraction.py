"""The extraction contract: every setting that decides which pixels a model sees."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

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
    clip_crf: int = Field(0, ge=0, le=40)
    """Rate factor of the H.264 that clips are stored as; 0 is lossless. ``detect`` stores none."""

    already_cut: bool = False
    """The pictures were faces when they came: taken as they are, ``margin`` says how they frame the face.

    The other settings are those by which ``detect`` cuts out faces to be judged like them.
    """

    @model_serializer(mode="wrap")
    def _leave_out_what_older_contracts_lack(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that the hash of a contract without crops and compression is what it was."""
        values = dump(self)
        unused = [name for name in ("already_cut", "clip_crf") if not values[name]]
        return {name: value for name, value in values.items() if name not in unused}

    def hash(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the settings in a canonical form."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def part_of(self, clips: ExtractionSettings) -> float:
        """The part of the sides of clips cut under other settings that shows what these settings show."""
        return (1.0 + self.margin) / (1.0 + clips.margin)

    def require_readable(self, clips: ExtractionSettings, *, ours: str, theirs: str) -> None:
        """Raises ContractError where clips cut under other settings cannot be shown as under these.

        More loosely cut ones are cut down; of crops that came as they are, the margin alone is known. How
        clips are compressed may differ, as it does from the faces that ``detect`` cuts out.
        """
        if clips.margin < self.margin:
            raise ContractError(
                f"extraction contracts differ: margin is {self.margin:g} in {ours} and {clips.margin:g} in "
                f"{theirs}, and what was cut away cannot be shown; preprocess again with --margin "
                f"{self.margin:g}"
            )
        cut = self.already_cut or clips.already_cut
        free = set(type(self).model_fields) - {"version"} if cut else {"margin", "clip_crf"}
        clips = clips.model_copy(update={name: getattr(self, name) for name in free})
        self.require_same(clips, ours=ours, theirs=theirs)

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


def parse_contract(values: Any) -> ExtractionSettings:
    """Settings from stored JSON; raises ContractError where this version cannot honour them."""
    try:
        return ExtractionSettings.model_validate(values)
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
