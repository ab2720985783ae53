"""Perturbations of video frames, five levels each: they show how well a detector's answers hold."""

from deepfake_ssat.video.perturbation.kinds import (
    KINDS,
    LEVELS,
    Kind,
    Perturbation,
    generator_for,
    perturb_clip,
    perturb_frames,
)
from deepfake_ssat.video.perturbation.reader import PerturbedReader

__all__ = [
    "KINDS",
    "LEVELS",
    "Kind",
    "Perturbation",
    "PerturbedReader",
    "generator_for",
    "perturb_clip",
    "perturb_frames",
]
