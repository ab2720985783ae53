"""Sets of labelled pictures in their official layouts (the paper's table 9)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PictureSet(BaseModel):
    """What all of them have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crop_pct: float = Field(1.0, gt=0.0, le=1.0)
    """Validation and test see the centre of a picture that is so much larger; 0.875 is MAE's and DeiT's."""
    fraction: float = Field(1.0, gt=0.0, le=1.0)
    """Part of each class's training pictures that is trained on, drawn by the experiment's seed (figure 5).

    A smaller part lies within a larger one.
    """
    train_on_val: bool = False
    """Train on train and val together and watch test, as the paper does: its best epoch is optimistic."""


class _Folder(PictureSet):
    root: Path


class _WithoutValidation(_Folder):
    val_fraction: float = Field(0.1, gt=0.0, lt=1.0)
    """Part of each class's training pictures that validates; the official set has no such split."""


class ArrayFile(PictureSet):
    """A MedMNIST-style npz: ``{train,val,test}_{images,labels}``."""

    kind: Literal["npz"] = "npz"
    path: Path


class Cifar(_Folder):
    """CIFAR-10 or CIFAR-100 in its official python layout; the last ``val_images`` of train are held out."""

    kind: Literal["cifar"] = "cifar"
    val_images: int = Field(5000, ge=1)


class Svhn(_WithoutValidation):
    """The cropped digits of Street View House Numbers: ``{train,test}_32x32.mat``."""

    kind: Literal["svhn"] = "svhn"


class Flowers102(_Folder):
    """Oxford's 102 flowers: ``jpg/``, ``imagelabels.mat``, ``setid.mat``."""

    kind: Literal["flowers102"] = "flowers102"


class DomainNet(_WithoutValidation):
    """One domain of DomainNet: its pictures, ``DOMAIN_train.txt`` and ``DOMAIN_test.txt``."""

    kind: Literal["domainnet"] = "domainnet"
    domain: Literal["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]


class Chaoyang(_WithoutValidation):
    """Slides of the colon in four classes: ``train.json``, ``test.json`` and the pictures that they name."""

    kind: Literal["chaoyang"] = "chaoyang"


class ImageFolder(_Folder):
    """``root/{train,val,test}/<class>/*`` pictures."""

    kind: Literal["image_folder"] = "image_folder"
    val_fraction: float = Field(0.0, ge=0.0, lt=1.0)
    """Above 0, that part of each class of train/ validates and val/ is the test split: ImageNet's way, the
    labels of whose test pictures nobody has."""


PictureSource = ArrayFile | Cifar | Svhn | Flowers102 | DomainNet | Chaoyang | ImageFolder


def moved(source: PictureSource, place: Path) -> PictureSource:
    """The same set of pictures in another place."""
    return source.model_copy(update={"path" if isinstance(source, ArrayFile) else "root": place})
