"""Lanczos against the whole spectrum of small matrices."""

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from deepfake_ssat.analysis.lanczos import RitzValues, lanczos, spectral_density


def symmetric(values, seed=0):
    """A dense matrix with these eigenvalues, in float64."""
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return torch.from_numpy(turned * values @ turned.T)


def run(matrix, steps, seed=0):
    start = torch.randn(len(matrix), generator=torch.Generator().manual_seed(seed), dtype=matrix.dtype)
    return lanczos(lambda vector: matrix @ vector, start, steps), start / start.norm()


def test_as_many_steps_as_rows_give_all_eigenvalues():
    values = np.sort(np.random.default_rng(3).normal(size=40))
    found, start = run(symmetric(values), 40)
    np.testing.assert_allclose(found.values, values, atol=1e-9)
    vectors = np.linalg.eigh(symmetric(values).numpy())[1]
    np.testing.assert_allclose(found.weights, (vectors.T @ start.numpy()) ** 2, atol=1e-9)


def test_few_steps_settle_the_extremes_and_bound_their_error():
    values = np.concatenate([np.linspace(-0.5, 0.5, 197), [-6.0, 9.0, 12.0]])
    found, _ = run(symmetric(values), 20)
    assert len(found.values) == 20
    largest = found.largest(3)
    np.testing.assert_allclose(largest.values, [12.0, 9.0, -6.0], atol=1e-8)
    assert largest.errors.max() < 1e-6
    for value, error in zip(found.values, found.errors, strict=True):
        assert np.abs(values - value).min() <= error + 1e-10


def test_no_ghosts_in_single_precision():
    values = np.concatenate([np.linspace(-1e-3, 1e-3, 297), [50.0, 20.0, -10.0]])
    found, _ = run(symmetric(values).float(), 60)
    np.testing.assert_allclose(found.largest(4).values[:3], [50.0, 20.0, -10.0], rtol=1e-5)
    assert abs(found.largest(4).values[3]) < 0.01


def test_it_ends_where_the_space_does():
    values = np.repeat([1.0, 2.0, 5.0], 10)
    found, _ = run(symmetric(values), 25)
    np.testing.assert_allclose(found.values, [1.0, 2.0, 5.0], atol=1e-6)
    assert found.errors.max() == 0.0
    assert found.weights.sum() == pytest.approx(1.0)


@pytest.mark.slow
def test_density_is_that_of_all_eigenvalues():
    values = np.random.default_rng(5).normal(size=300)
    matrix, places = symmetric(values), np.linspace(-4, 4, 161)
    runs = [run(matrix, 60, seed)[0] for seed in range(40)]
    exact = np.exp(-0.5 * ((places[:, None] - values) / 0.3) ** 2).mean(axis=1) / (0.3 * np.sqrt(2 * np.pi))
    found = spectral_density(runs, places, 0.3)
    np.testing.assert_allclose(found, exact, atol=0.03)
    assert trapezoid(found, places) == pytest.approx(1.0, abs=0.01)


def test_density_of_one_eigenvalue_is_a_gaussian():
    single = RitzValues(np.array([2.0]), np.array([1.0]), np.array([0.0]))
    assert spectral_density([single], np.array([2.0]), 0.5)[0] == pytest.approx(
        1 / (0.5 * np.sqrt(2 * np.pi))
    )
