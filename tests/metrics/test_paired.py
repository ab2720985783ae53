"""DeLong by hand and against simulation; sign flips against McNemar; Holm by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata
from sklearn.metrics import roc_auc_score

from deepfake_ssat.metrics import compare_accuracy, compare_auc, delong, holm


def two_methods(num_real, num_fake, generator, first=1.0, second=1.0, common=0.7):
    """Scores of two methods that agree in part, of which fakes are raised by so much."""
    labels = np.repeat([0, 1], [num_real, num_fake])
    shared, *own = generator.normal(size=(3, len(labels)))
    return labels, *(
        common * shared + (1 - common) * noise + strength * labels
        for noise, strength in zip(own, (first, second), strict=True)
    )


def test_delong_by_hand():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([0.1, 0.4, 0.6, 0.5, 0.9])
    areas, covariance = delong(labels, [scores])
    # Placements: fakes 2/3 and 1, of mean 5/6 and variance 1/18; reals 1, 1 and 1/2, of variance 1/12.
    assert areas == pytest.approx([5 / 6])
    assert covariance == pytest.approx(np.array([[1 / 18 / 2 + 1 / 12 / 3]]))


def test_ties_count_half():
    areas, _ = delong(np.array([0, 0, 1, 1]), [np.array([0.5, 0.5, 0.5, 0.8])])
    assert areas == pytest.approx([0.75])


def test_covariance_is_that_of_the_definition():
    """All pairs of a fake and a genuine video, one by one, as the paper of 1988 writes it."""
    labels, *methods = two_methods(13, 17, np.random.default_rng(0))
    psi = [
        np.array([[(fake > real) + 0.5 * (fake == real) for real in run[:13]] for fake in run[13:]])
        for run in methods
    ]
    expected = (
        np.cov([table.mean(axis=1) for table in psi]) / 17
        + np.cov([table.mean(axis=0) for table in psi]) / 13
    )
    areas, covariance = delong(labels, methods)
    assert areas == pytest.approx([roc_auc_score(labels, run) for run in methods])
    assert covariance == pytest.approx(expected)


@pytest.mark.slow
def test_standard_error_is_the_spread_over_repeated_draws():
    generator = np.random.default_rng(1)
    differences, errors = [], []
    for _ in range(1500):
        labels, first, second = two_methods(40, 60, generator, 1.0, 0.7)
        areas, covariance = delong(labels, [first, second])
        differences.append(areas[0] - areas[1])
        errors.append(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(differences), rel=0.06)


@pytest.mark.slow
def test_methods_that_are_alike_are_called_different_in_five_of_a_hundred():
    generator = np.random.default_rng(2)
    found = []
    for _ in range(600):
        labels, first, second = two_methods(40, 40, generator)
        areas, covariance = delong(labels, [first, second])
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        found.append(abs(areas[0] - areas[1]) > 1.96 * np.sqrt(variance))
    assert np.mean(found) == pytest.approx(0.05, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_p_value_agrees_with_a_permutation_test(seed):
    labels, first, second = two_methods(60, 60, np.random.default_rng(seed), 1.1, 0.95)
    # On one scale, each video's two scores could have been exchanged.
    ranks = np.stack([rankdata(first), rankdata(second)])
    swaps = np.random.default_rng(5).random((4000, 1, 120)) < 0.5
    mixed = np.where(swaps, ranks[::-1], ranks)
    # The sum of the fakes' ranks is the AUC, up to a factor and a constant.
    sums = rankdata(mixed, axis=2)[:, :, labels == 1].sum(axis=2)
    observed = np.diff(rankdata(ranks, axis=1)[:, labels == 1].sum(axis=1))
    permuted = np.mean(np.abs(np.diff(sums, axis=1)) >= np.abs(observed))
    assert compare_auc(labels, first, second, seed=0).p_value == pytest.approx(permuted, abs=0.03)


def test_interval_of_the_difference_is_paired():
    labels, first, second = two_methods(50, 50, np.random.default_rng(6), 1.0, 0.9, common=0.95)
    found = compare_auc(labels, first, second, seed=0)
    areas, covariance = delong(labels, [first, second])
    paired = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.difference == pytest.approx(areas[0] - areas[1])
    assert found.high - found.low == pytest.approx(2 * 1.96 * paired, rel=0.2)
    assert found.high - found.low < 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1])


def test_runs_of_a_method_are_judged_by_their_mean():
    labels, first, second = two_methods(30, 30, np.random.default_rng(7), 1.0, 0.6)
    third = first + np.random.default_rng(8).normal(0, 0.5, 60)
    found = compare_auc(labels, np.stack([first, third]), second, seed=0)
    areas = [roc_auc_score(labels, run) for run in (first, third, second)]
    assert found.difference == pytest.approx(np.mean(areas[:2]) - areas[2])
    same = compare_auc(labels, np.stack([first, first]), second, seed=0)
    assert same.p_value == pytest.approx(compare_auc(labels, first, second, seed=0).p_value)


def test_same_scores_are_no_difference():
    labels, first, _ = two_methods(20, 20, np.random.default_rng(9))
    found = compare_auc(labels, first, 3 * first + 1, seed=0)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_few_videos_have_a_difference_and_nothing_more():
    labels, first, second = two_methods(4, 20, np.random.default_rng(10))
    found = compare_auc(labels, first, second, seed=0)
    assert (found.low, found.high, found.p_value) == (None, None, None)
    labels, first, second = two_methods(8, 20, np.random.default_rng(10))
    found = compare_auc(labels, first, second, seed=0)
    assert found.p_value is None
    assert found.low <= found.difference <= found.high
    assert compare_accuracy(labels, first > 0.5, second > 0.5, seed=0).p_value is None


@pytest.mark.parametrize("seed", range(4))
def test_sign_flips_are_mcnemars_exact_test(seed):
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 40)
    first = np.where(generator.random(80) < 0.85, labels, 1 - labels)
    second = np.where(generator.random(80) < 0.7, labels, 1 - labels)
    only_first = int(np.sum((first == labels) & (second != labels)))
    only_second = int(np.sum((first != labels) & (second == labels)))
    expected = binomtest(only_first, only_first + only_second).pvalue
    found = compare_accuracy(labels, first, second, seed=0)
    assert found.difference == pytest.approx((only_first - only_second) / 80)
    assert found.p_value == pytest.approx(expected, abs=0.015)
    assert found.low <= found.difference <= found.high


def test_holm_by_hand():
    # Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2, 0.5 * 1, and none below the one before.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []
