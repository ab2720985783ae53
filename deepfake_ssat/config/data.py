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


class _ClipSource(_Frozen):
    manifest: Path
    """A folder that ``preprocess`` wrote."""
    train: Selection = Selection(splits=("train",))
    val: Selection = Selection(splits=("val",))
    clips_per_face: int = Field(1, ge=1)
    """Random clips drawn from each face and epoch."""
    val_clips_per_face: int = Field(4, ge=1)
    """Clips spread over each face for validation."""
    balanced_sampling: bool = False
    """Draw real and fake faces equally often; the class weight is then 0.5."""
    pairs: Literal["none", "aligned"] = "none"
    """``aligned``: an epoch shows each genuine face beside one of the fakes made of it, another every epoch.

    Both under one framing and one augmentation; what has no partner does not train. Validation shows all.
    """
    pseudo_fakes: PseudoFakes | None = None
    """Made from the genuine clips, in training and validation alike, beside the fakes of the manifest."""

    @field_validator("train", "val", mode="before")
    @classmethod
    def _keep_to_its_split(cls, selection: Any, info: ValidationInfo) -> Any:
        """A selection that names manipulations alone is still of its split, not of the test videos too."""
        return {"splits": (info.field_name,), **selection} if isinstance(selection, dict) else selection

    @model_validator(mode="after")
    def _check_pairs(self) -> _ClipSource:
        if self.pairs == "aligned" and (self.balanced_sampling or self.pseudo_fakes):
            other = "pseudo_fakes" if self.pseudo_fakes else "balanced_sampling"
            raise ValueError(
                f"pairs aligned shows a fake for each genuine face already: leave out {other}, or make it "
                "another source of data.kind mixture"
            )
        return self


Margin = Annotated[float, Field(ge=0.0)]


class FaceClips(_ClipSource):
    """Face clips, or single face frames, from what ``preprocess`` wrote."""

    kind: Literal["face_clips"] = "face_clips"
    margin: Margin | None = None
    """Clips that were cut more loosely are cut down to this margin; None shows them as they are stored."""


class MixtureSource(_ClipSource):
    """One of several face-clip sources."""

    weight: float = Field(1.0, gt=0.0)
    """Its part of the items, beside the weights of the others."""
    validates: bool = True
    """Off: it trains only."""


class Mixture(_Frozen):
    """Face clips of several sources, each as often as its weight says."""

    kind: Literal["mixture"] = "mixture"
    sources: dict[str, MixtureSource] = Field(min_length=1)
    """By a name of one's own."""
    items_per_epoch: int | None = Field(None, ge=2)
    """None: as many as all sources have together. No item comes again before its source is through."""
    margin: Margin | None = None
    """What all sources are cut down to; None: the margin of the most tightly cut one."""

    @model_validator(mode="after")
    def _check_validation(self) -> Mixture:
        if not any(source.validates for source in self.sources.values()):
            raise ValueError("no source validates: set validates of one of them to true")
        return self


DataSource = Annotated[FaceClips | Mixture | PictureSource, Field(discriminator="kind")]


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
