"""The curvature of the classification loss: its Hessian's largest eigenvalues and spectral density, by batch.

P parameters, B batch, m steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from deepfake_ssat.analysis.lanczos import RitzValues, lanczos
from deepfake_ssat.analysis.samples import Samples
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.precision import full_precision
from deepfake_ssat.progress import Advance

BATCH_SAMPLES = 16
"""Of one Hessian, as Park and Kim measure it: the loss that one step of training sees."""
UNSETTLED = 0.01
MOST_BASIS_BYTES = 4 << 30


@dataclass(frozen=True)
class HessianSettings:
    """How much is measured."""

    batches: int = 8
    steps: int = 32
    """Of Lanczos: products with the Hessian, for each batch."""
    eigenvalues: int = 5
    """Of the largest magnitude, kept for each batch."""


@dataclass(frozen=True)
class HessianSpectra:
    """One Hessian for each batch of samples."""

    settings: HessianSettings
    num_parameters: int
    batch_samples: int
    """Of each batch."""
    batches: tuple[RitzValues, ...]

    @property
    def largest(self) -> tuple[RitzValues, ...]:
        """The eigenvalues of the largest magnitude of each batch, the largest first."""
        return tuple(found.largest(self.settings.eigenvalues) for found in self.batches)

    @property
    def num_unsettled(self) -> int:
        """Of these, those that more steps may still move by more than ``UNSETTLED`` of their size."""
        return sum(int((found.errors > UNSETTLED * np.abs(found.values)).sum()) for found in self.largest)


class LossHessian:
    """Multiplies vectors with the Hessian of the mean cross-entropy over some samples.

    Samples go through the network ``batch`` at a time, so that memory does not grow with their number.
    """

    def __init__(self, network: Network, parts: Sequence[tuple[Tensor, Tensor]]):
        self._network = network
        self._parts = parts
        self._count = sum(len(labels) for _, labels in parts)
        self._parameters = classifying_parameters(network)

    def __call__(self, vector: Tensor) -> Tensor:
        """(P,) -> (P,)."""
        sizes = [parameter.numel() for parameter in self._parameters]
        directions = [
            part.view_as(parameter)
            for part, parameter in zip(vector.split(sizes), self._parameters, strict=True)
        ]
        total = torch.zeros_like(vector)
        # The fused kernels of attention have no second derivative.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            for clips, labels in self._parts:
                logits = self._network.classify(clips)
                loss = F.cross_entropy(logits.to(vector.dtype), labels, reduction="sum") / self._count
                slopes = torch.autograd.grad(
                    loss, self._parameters, create_graph=True, materialize_grads=True
                )
                products = [(slope * way).sum() for slope, way in zip(slopes, directions, strict=True)]
                curved = torch.autograd.grad(
                    torch.stack(products).sum(), self._parameters, materialize_grads=True
                )
                total += torch.cat([part.flatten() for part in curved])
        return total


def classifying_parameters(network: Network) -> list[nn.Parameter]:
    """Those that the classification loss reaches."""
    unreached = network.unreached(classifies=True, reconstructs=False)
    return [
        parameter
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and not name.startswith(unreached)
    ]


def measure_hessian(
    network: Network,
    samples: Samples,
    settings: HessianSettings,
    batch: int,
    seed: int,
    device: torch.device,
    advance: Advance,
) -> HessianSpectra:
    """Batches of ``BATCH_SAMPLES`` of the samples, each with a random start of its own; fewer where they end.

    ``batch`` pictures, or frames of clips, are computed at a time. Raises ConfigError where the vectors of
    Lanczos would not fit into memory.
    """
    num_parameters = sum(parameter.numel() for parameter in classifying_parameters(network))
    require_room(num_parameters, settings.steps)
    generator = torch.Generator().manual_seed(seed)
    # Second derivatives keep all that the network computes: of a clip as much as of its frames.
    part = max(batch // samples.settings.frames, 1)
    found = []
    with full_precision():
        for group in samples.groups(BATCH_SAMPLES)[: settings.batches]:
            hessian = LossHessian(network, list(group.batches(part, device)))

            def multiply(vector: Tensor, hessian: LossHessian = hessian) -> Tensor:
                product = hessian(vector)
                advance()
                return product

            start = torch.randn(num_parameters, generator=generator).to(device)
            found.append(lanczos(multiply, start, settings.steps))
    return HessianSpectra(settings, num_parameters, min(BATCH_SAMPLES, len(samples)), tuple(found))


def require_room(num_parameters: int, steps: int) -> None:
    """Raises ConfigError where so many vectors would take more than ``MOST_BASIS_BYTES``."""
    needed = 4 * num_parameters * steps
    if needed > MOST_BASIS_BYTES:
        most = MOST_BASIS_BYTES // (4 * num_parameters)
        raise ConfigError(
            f"{steps} vectors of {num_parameters / 1e6:.1f} million parameters take {needed / 1e9:.1f} GB, "
            f"allowed are {MOST_BASIS_BYTES / 1e9:.1f}; take --hessian-steps {most}, or leave hessian out"
        )
