"""Lanczos: extreme eigenvalues and the spectral density of a symmetric matrix that only multiplies vectors.

P rows of the matrix, m steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BREAKDOWN = 1e-6
"""Part of the largest coefficient so far below which nothing new is left of a vector."""


@dataclass(frozen=True)
class RitzValues:
    """What one run knows of the spectrum, as (m,) float64 arrays in ascending order of the values."""

    values: np.ndarray
    """The extreme ones approach eigenvalues."""
    weights: np.ndarray
    """Squared parts of the start vector: a Gauss quadrature of the spectral density."""
    errors: np.ndarray
    """An eigenvalue lies at most so far from each value."""

    def largest(self, count: int) -> RitzValues:
        """Those of the largest magnitude, the largest first."""
        order = np.argsort(-np.abs(self.values), kind="stable")[:count]
        return RitzValues(self.values[order], self.weights[order], self.errors[order])


def spectral_density(runs: Sequence[RitzValues], places: np.ndarray, width: float) -> np.ndarray:
    """(G,) -> (G,): the density of eigenvalues at some places, each run's values blurred by a Gaussian.

    Stochastic Lanczos quadrature (Ghorbani et al., ICML 2019): the mean over random start vectors; the
    integral 1 stands for all P eigenvalues.
    """
    curves = [
        (run.weights * np.exp(-0.5 * ((places[:, None] - run.values) / width) ** 2)).sum(axis=1)
        for run in runs
    ]
    return np.mean(curves, axis=0) / (width * np.sqrt(2 * np.pi))


def lanczos(multiply: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> RitzValues:
    """``multiply`` maps (P,) to (P,), ``start`` is a random (P,).

    Each vector is made orthogonal to all before, twice, so that no eigenvalue comes back as its own ghost;
    the memory is m vectors. Ends early where the start vector's space is exhausted.
    """
    basis = torch.empty(steps, len(start), dtype=start.dtype, device=start.device)
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    vector, done = start / start.norm(), 0
    for step in range(steps):
        basis[step] = vector
        known, done = basis[: step + 1], step + 1
        product = multiply(vector)
        diagonal[step] = float(torch.dot(vector, product))
        for _ in range(2):
            product = product - known.T @ (known @ product)
        beside[step] = float(product.norm())
        if beside[step] <= BREAKDOWN * max(np.abs(diagonal[:done]).max(), beside[:done].max()):
            beside[step] = 0.0
            break
        vector = product / beside[step]
    matrix = np.diag(diagonal[:done]) + np.diag(beside[: done - 1], 1) + np.diag(beside[: done - 1], -1)
    values, vectors = np.linalg.eigh(matrix)
    return RitzValues(values, vectors[0] ** 2, np.abs(beside[done - 1] * vectors[-1]))
