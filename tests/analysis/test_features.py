"""Distance and variance of tokens, against loops over numbers."""

import numpy as np
import pytest
import torch

from deepfake_ssat.analysis.features import feature_variances, token_distances


def test_distance_is_the_mean_over_pairs():
    tokens = np.random.default_rng(0).normal(5.0, 2.0, (2, 30, 6))
    for sample, found in zip(tokens, token_distances(torch.from_numpy(tokens)).tolist(), strict=True):
        pairs = [np.linalg.norm(sample[i] - sample[j]) for i in range(30) for j in range(i)]
        assert found == pytest.approx(np.mean(pairs), rel=1e-9)


def test_tokens_close_together_far_from_zero_keep_their_distance():
    tokens = torch.full((1, 100, 64), 100.0)
    tokens[0, ::2, 0] += 0.01
    # 50 and 50 tokens: of 99 others, 50 are 0.01 away.
    assert token_distances(tokens).item() == pytest.approx(0.01 * 50 / 99, rel=0.01)


def test_variance_is_over_positions_for_each_channel():
    tokens = np.random.default_rng(1).normal(0.0, [1.0, 3.0], (2, 40, 2))
    by_hand = [np.mean([np.var(sample[:, channel], ddof=1) for channel in (0, 1)]) for sample in tokens]
    np.testing.assert_allclose(feature_variances(torch.from_numpy(tokens)).numpy(), by_hand)
    assert feature_variances(torch.full((1, 9, 4), 7.0)).item() == 0.0
