"""Where training examples come from, and how they are augmented."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Selection(_Frozen):
    """A filter over manifest rows; an empty list selects everything."""

    splits: tuple[str, ...] = ()
    manipulations: tuple[str, ...] = ()
    """Of the fakes; genuine videos are always kept."""
    compressions: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()


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


class ArrayFile(_Frozen):
    """A MedMNIST-style npz: ``{train,val,test}_{images,labels}``."""

    kind: Literal["npz"] = "npz"
    path: Path
    train_on_val: bool = False
    """The paper's table 5: train on train + val, watch test. Off: train on train, choose on val."""


class Cifar(_Frozen):
    """CIFAR-10 or CIFAR-100 in its official python layout; the last ``val_images`` of train are held out."""

    kind: Literal["cifar"] = "cifar"
    root: Path
    val_images: int = Field(5000, ge=1)


class ImageFolder(_Frozen):
    """``root/{train,val}/<class>/*`` pictures."""

    kind: Literal["image_folder"] = "image_folder"
    root: Path


DataSource = Annotated[FaceClips | ArrayFile | Cifar | ImageFolder, Field(discriminator="kind")]


CropScale = Annotated[float, Field(gt=0.0, le=1.0)]


class Augmentation(_Frozen):
    """What is done to a training example; every frame of a clip gets the same parameters."""

    name: Literal["none", "flip", "dfdc", "rand_augment"] = "dfdc"
    """``dfdc``: the set of the DFDC winner. ``rand_augment``: table 14's rand-m9-mstd0.5-inc1."""
    random_resized_crop: tuple[CropScale, CropScale] | None = None
    """Smallest and largest part of the area that is cut out and enlarged to the whole size."""
    random_erasing: float = Field(0.0, ge=0.0, le=1.0)
    """Probability."""
    mixup: float = Field(0.0, ge=0.0)
    """The alpha of mixup's Beta distribution; 0 switches it off."""

    @model_validator(mode="after")
    def _check_crop(self) -> Augmentation:
        crop = self.random_resized_crop
        if crop is not None and crop[0] > crop[1]:
            raise ValueError(f"random_resized_crop {list(crop)} must be [smallest, largest] part of the area")
        return self
