"""Where training examples come from, and how they are augmented."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from deepfake_ssat.config.pictures import PictureSource
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Selection(_Frozen):
    """A filter over manifest rows; an empty list selects everything."""

    splits: tuple[str, ...] = ()
    manipulations: tuple[str, ...] = ()
    """Of the fakes; genuine videos are always kept."""
    compressions: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()


TEST_SPLIT, VALIDATION_SPLIT = Selection(splits=("test",)), Selection(splits=("val",))
"""What is measured on, and what is calibrated on, unless another selection is given."""


class PseudoFakes(PseudoFakeSettings):
    """Manipulated versions of the genuine clips, made while training; kinds, weights and strengths."""

    share: float = Field(1.0, gt=0.0, le=1.0)
    """Part of the genuine items that also appear manipulated; training draws others each epoch."""
    at_model_size: bool = False
    """Make them after the clip was brought to the model's size: faster, but no shrinking blurs the seams."""


class FaceClips(_Frozen):
    """Face clips, or single face frames, from what ``preprocess`` wrote."""

    kind: Literal["face_clips"] = "face_clips"
    manifest: Path
    train: Selection = Selection(splits=("train",))
    val: Selection = Selection(splits=("val",))
    clips_per_face: int = Field(1, ge=1)
    """Random clips drawn from each face and epoch."""
    val_clips_per_face: int = Field(4, ge=1)
    """Clips spread over each face for validation."""
    balanced_sampling: bool = False
    """Draw real and fake faces equally often; the class weight is then 0.5."""
    pseudo_fakes: PseudoFakes | None = None
    """Made from the genuine clips, in training and validation alike, beside the fakes of the manifest."""

    @field_validator("train", "val", mode="before")
    @classmethod
    def _keep_to_its_split(cls, selection: Any, info: ValidationInfo) -> Any:
        """A selection that names manipulations alone is still of its split, not of the test videos too."""
        return {"splits": (info.field_name,), **selection} if isinstance(selection, dict) else selection


DataSource = Annotated[FaceClips | PictureSource, Field(discriminator="kind")]


CropScale = Annotated[float, Field(gt=0.0, le=1.0)]


class H264(_Frozen):
    """Compression as videos have it, over all frames of a clip."""

    probability: float = Field(0.5, ge=0.0, le=1.0)
    crf: tuple[int, int] = (18, 40)
    """x264's constant rate factor, drawn from this range: 0 is lossless, 23 usual, 51 the worst."""

    @model_validator(mode="after")
    def _check_range(self) -> H264:
        low, high = self.crf
        if not 0 <= low <= high <= 51:
            raise ValueError(f"crf is {low} to {high}; it must ascend and lie in 0 to 51")
        return self


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Views(_Frozen):
    """The two augmented views that SimCLR and DINO compare; the defaults are SimCLR's for CIFAR.

    Crop and enlarge, flip half of the time, colour (probability 0.8), grey, blur, solarise, in this order.
    """

    crop: tuple[CropScale, CropScale] = (0.08, 1.0)
    """Smallest and largest part of the area."""
    colour: tuple[Fraction, Fraction, Fraction, Annotated[float, Field(ge=0.0, le=0.5)]] = (
        0.4,
        0.4,
        0.4,
        0.1,
    )
    """Strongest change of brightness, contrast, saturation and hue."""
    grey: Fraction = 0.2
    """Probability."""
    blur: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Probability in each of the two views, sigma 0.1 to 2."""
    solarise: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Probability in each of the two views."""

    @model_validator(mode="after")
    def _check_crop(self) -> Views:
        if self.crop[0] > self.crop[1]:
            raise ValueError(f"crop {list(self.crop)} must be [smallest, largest] part of the area")
        return self


class Augmentation(_Frozen):
    """What is done to a training example; every frame of a clip gets the same parameters."""

    name: Literal["none", "flip", "dfdc", "rand_augment"] = "dfdc"
    """``dfdc``: the set of the DFDC winner. ``rand_augment``: table 14's rand-m9-mstd0.5-inc1."""
    random_resized_crop: tuple[CropScale, CropScale] | None = None
    """Smallest and largest part of the area that is cut out and enlarged to the whole size."""
    h264: H264 | None = None
    """Before all other steps but the crop; a pair of genuine clip and pseudo-fake gets the same."""
    random_erasing: float = Field(0.0, ge=0.0, le=1.0)
    """Probability."""
    mixup: float = Field(0.0, ge=0.0)
    """The alpha of mixup's Beta distribution; 0 switches it off."""
    views: Views = Views()  # pyright: ignore[reportCallIssue]
    """For the objectives with SimCLR and DINO alone."""

    @model_validator(mode="after")
    def _check_crop(self) -> Augmentation:
        crop = self.random_resized_crop
        if crop is not None and crop[0] > crop[1]:
            raise ValueError(f"random_resized_crop {list(crop)} must be [smallest, largest] part of the area")
        return self
