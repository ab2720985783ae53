"""Mixup: pixels and labels are mixed with the same partner and weight."""

import numpy as np
import pytest
import torch

from deepfake_ssat.clips.mixup import mixup


def test_pixels_and_labels_are_mixed_alike():
    """Pixels that are their own one-hot labels must come out equal to the soft labels."""
    labels = torch.tensor([0, 1, 2, 1])
    pixels = torch.nn.functional.one_hot(labels, 3).float()
    mixed, soft = mixup(pixels, labels, 3, 0.8, np.random.default_rng(0))
    assert torch.allclose(mixed, soft)
    assert torch.allclose(soft.sum(dim=1), torch.ones(4))
    assert not torch.equal(soft, pixels)


def test_weight_follows_the_beta_distribution():
    pixels, labels = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    generator = np.random.default_rng(0)
    # With alpha 1 the weight is uniform; half of the time the partner is the item itself.
    mixed = [mixup(pixels, labels, 2, 1.0, generator)[0][0].item() for _ in range(4000)]
    away = [value for value in mixed if value > 0]
    assert len(away) / len(mixed) == pytest.approx(0.5, abs=0.03)
    assert np.mean(away) == pytest.approx(0.5, abs=0.02)
    assert np.var(away) == pytest.approx(1 / 12, abs=0.01)


def test_alpha_zero_mixes_nothing():
    pixels, labels = torch.rand(2, 3, 1, 4, 4), torch.tensor([1, 0])
    mixed, soft = mixup(pixels, labels, 2, 0.0, np.random.default_rng(0))
    assert torch.equal(mixed, pixels)
    assert soft.tolist() == [[0, 1], [1, 0]]
