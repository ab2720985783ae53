"""Multiply-adds of an objective's forward pass, counted while it runs."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from deepfake_ssat.config import NetworkSettings, ObjectiveSettings
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, build_tasks


def count_multiply_adds(model: NetworkSettings, objective: ObjectiveSettings) -> int:
    """Of one clip or image, in matrix products and attention, forward pass only.

    A multiplication with its addition counts as one, as in the paper's table 3; torch counts two.
    """
    # Batch normalisation refuses to train on one item.
    network = build_network(model).eval()
    clips = torch.zeros(1, model.channels, model.frames, model.image_size, model.image_size)
    labels = torch.zeros(1, dtype=torch.int64)
    tasks = build_tasks(network, objective).eval()
    views = None if objective.view_task is None else torch.stack([clips, clips])
    counter = FlopCounterMode(display=False)
    # As plain matrix products: of the CPU's fused attention torch counts nothing.
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        OBJECTIVES[objective.name](network, clips, labels, objective, None, None, Auxiliary(tasks, views))
    return counter.get_total_flops() // 2
