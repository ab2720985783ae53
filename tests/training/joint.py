"""A step of the joint objective that the tests of memory and compilation look at."""

import torch

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, build_tasks


def joint_loss(model):
    """SSAT's loss of three clips that torch's stream draws, under one mask."""
    settings = ObjectiveSettings(name="ssat")
    losses = OBJECTIVES["ssat"](
        model,
        torch.randn(3, 3, 4, 32, 32),
        torch.tensor([0, 1, 1]),
        settings,
        None,
        torch.Generator().manual_seed(1),
        Auxiliary(build_tasks(model, settings)),
    )
    return losses.total


def gradients_of(model):
    """By the weights' names."""
    return {name: weight.grad for name, weight in model.named_parameters()}
