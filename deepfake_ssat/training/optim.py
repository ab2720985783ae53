"""AdamW's parameter groups, layer decay, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from deepfake_ssat.config import ObjectiveSettings, OptimizerSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.network import Network

UNDECAYED_TOKENS = ("class_token", "mask_token", "positions", "relative_position_bias_table")
REFERENCE_BATCH = 256


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then half a cosine; all rates are absolute, of the layers next to the head."""

    peak: float
    warmup_start: float
    final: float
    warmup_steps: int
    total_steps: int

    def rate(self, step: int) -> float:
        """The learning rate of the optimiser's step (0, 1, ...)."""
        if step < self.warmup_steps:
            return self.warmup_start + (self.peak - self.warmup_start) * step / self.warmup_steps
        passed = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        return self.final + (self.peak - self.final) * (1.0 + math.cos(math.pi * min(passed, 1.0))) / 2.0


def make_schedule(
    settings: OptimizerSettings, effective_batch: int, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Absolute rate = base × effective batch / 256 (Goyal et al. 2017; MAE's and VideoMAE's rule)."""
    return Schedule(
        peak=settings.base_learning_rate * effective_batch / REFERENCE_BATCH,
        warmup_start=settings.warmup_learning_rate,
        final=settings.final_learning_rate,
        warmup_steps=round(settings.warmup_epochs * steps_per_epoch),
        total_steps=steps_per_epoch * epochs,
    )


def adamw(model: Network, settings: OptimizerSettings, peak_rate: float) -> AdamW:
    """AdamW over the trainable parameters, each group at its own part of the peak rate."""
    groups = parameter_groups(model, settings.weight_decay, settings.layer_decay, peak_rate)
    return AdamW(groups, lr=peak_rate, betas=settings.betas, eps=settings.eps)


def per_step(optimizer: AdamW, schedule: Schedule) -> LambdaLR:
    """A scheduler to be stepped with the optimiser; groups keep their ratio to each other."""
    return LambdaLR(optimizer, lambda step: schedule.rate(step) / schedule.peak)


def parameter_groups(model: Network, weight_decay: float, layer_decay: float, peak_rate: float) -> list[dict]:
    """Trainable parameters by layer and by whether they decay.

    Norms, biases, the mask token, class tokens and learned positions do not decay. The rate of a layer is the
    peak's times ``layer_decay`` for every layer between it and the head (BEiT's layer-wise decay).
    """
    numbers = model.layer_numbers()
    depth = max(numbers.values())
    groups: dict[tuple[int, bool], dict] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = numbers.get(name, depth + 1)
        decays = parameter.ndim > 1 and not name.endswith(UNDECAYED_TOKENS)
        group = groups.setdefault(
            (layer, decays),
            {
                "params": [],
                "lr": peak_rate * layer_decay ** (depth + 1 - layer),
                "weight_decay": weight_decay if decays else 0.0,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def head_groups(heads: nn.Module, weight_decay: float, peak_rate: float) -> list[dict]:
    """The trainable parameters of what stands beside the network, at the peak's rate, as its classifier's."""
    trained = [parameter for parameter in heads.parameters() if parameter.requires_grad]
    decaying = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [(decaying, weight_decay), (others, 0.0)]
    return [
        {"params": parameters, "lr": peak_rate, "weight_decay": decay}
        for parameters, decay in groups
        if parameters
    ]


def freeze_unused(model: Network, objective: ObjectiveSettings) -> None:
    """Takes out of training what the objective does not reach, so that it is neither decayed nor waited for.

    (DDP waits for the gradient of every parameter that requires one.)
    """
    compares = objective.view_task is not None
    unused = model.unreached(classifies=objective.classifies or compares, reconstructs=objective.reconstructs)
    if compares and not objective.classifies:
        # The views' features are those that the classifier would read.
        unused = (*unused, "head.")
    for name, parameter in model.named_parameters():
        if name.startswith(unused):
            parameter.requires_grad_(False)


def freeze_stem(model: Network) -> None:
    """Takes the convolutional stem out of training, as ``optimizer.freeze_stem`` asks."""
    stem = model.convolutional_stem()
    if stem is None:
        raise ConfigError(
            "optimizer.freeze_stem is true and the model has no convolutional stem; set it to false"
        )
    stem.requires_grad_(False)
