"""The auxiliary tasks beside reconstruction: SimCLR, DINO, relative localisation, and a CNN's guidance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Temperature = Annotated[float, Field(gt=0.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SimclrSettings(_Frozen):
    """NT-Xent between two views (Chen et al., ICML 2020); its hidden layer is as wide as the network."""

    temperature: Temperature = 0.5
    """Theirs on CIFAR-10; 0.1 on ImageNet."""
    projection_width: int = Field(128, ge=1)


class DinoSettings(_Frozen):
    """Self-distillation between two views (Caron et al., ICCV 2021), their values; without local crops."""

    hidden_width: int = Field(2048, ge=1)
    bottleneck_width: int = Field(256, ge=1)
    prototypes: int = Field(65536, ge=2)
    """Outputs of the head, over which student and teacher are compared."""
    student_temperature: Temperature = 0.1
    teacher_temperature: tuple[Temperature, Temperature] = (0.04, 0.07)
    """Sharpening: at the start, and from the end of its warm-up on."""
    teacher_temperature_warmup: Fraction = 0.3
    """Part of the training; 30 epochs of 100."""
    teacher_momentum: Fraction = 0.996
    """Of the teacher's moving average at the start; a cosine leads to 1 at the end."""
    center_momentum: Fraction = 0.9
    freeze_last_layer: Fraction = 0.01
    """Part of the training in which the head's last layer stands still; the first epoch of 100."""


class RelativeLocalisationSettings(_Frozen):
    """Dense relative localisation, ℒ_drloc: how far two tokens lie apart (Liu et al., NeurIPS 2021)."""

    weight: float = Field(0.1, gt=0.0)
    """Theirs for CvT and T2T; 0.5 for Swin."""
    pairs: int = Field(64, ge=1)
    """Drawn from each picture."""
    hidden_width: int = Field(512, ge=1)


class GuidanceSettings(_Frozen):
    """Locality guidance, ℒ_guidance: blocks imitate a trained light CNN's maps (Li et al., ECCV 2022)."""

    teacher: Path
    """Checkpoint of a light_cnn, trained on the same pictures; it stays as it is."""
    weight: float = Field(2.5, gt=0.0)
    blocks: tuple[int, ...] = Field((0, 6, 11), min_length=1)
    """Of the encoder, the first is 0: one for each stage of the CNN."""


ViewTaskName = Literal["simclr", "dino"]
