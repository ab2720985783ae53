"""The mean over folds: shared videos move together, and nothing is drawn from too few."""

from functools import partial

import numpy as np
import pytest

from deepfake_ssat import metrics
from deepfake_ssat.metrics import FoldScores, mean_interval, weighted_accuracy, weighted_auc


def _fold(names, labels, probabilities, metric=weighted_auc):
    return FoldScores(names, np.array(labels), np.array(probabilities), metric)


def _drawn(seed, prefix, num=30):
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], num)
    names = [f"real{n}" for n in range(num)] + [f"{prefix}{n}" for n in range(num)]
    return names, labels, np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1)


def test_one_fold_has_the_interval_of_the_plain_bootstrap():
    names, labels, probabilities = _drawn(0, "a")
    numbered = [f"{place:03}" for place in range(len(names))]
    found = mean_interval([_fold(numbered, labels, probabilities)], seed=4)
    assert found == metrics.bootstrap_interval(weighted_auc, labels, probabilities, seed=4)


def test_folds_of_the_same_videos_and_scores_are_no_more_certain_than_one():
    names, labels, probabilities = _drawn(1, "a")
    fold = _fold(names, labels, probabilities)
    thrice, once = mean_interval([fold, fold, fold], 0), mean_interval([fold], 0)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_shared_originals_widen_the_interval():
    folds = [_fold(*_drawn(seed, prefix)) for seed, prefix in ((2, "a"), (2, "b"), (2, "c"))]
    own = [
        _fold([f"{number}{name}" for name in fold.videos], fold.labels, fold.probabilities)
        for number, fold in enumerate(folds)
    ]
    shared, independent = mean_interval(folds, 0), mean_interval(own, 0)
    assert shared.high - shared.low > independent.high - independent.low


@pytest.mark.slow
def test_mean_agrees_with_a_loop_over_resamples():
    folds = [_drawn(3, "a", 8), _drawn(4, "b", 8)]
    interval = mean_interval([_fold(*fold) for fold in folds], seed=5, resamples=200)
    every = sorted({*folds[0][0], *folds[1][0]})
    counts = np.random.default_rng(5).multinomial(24, np.full(24, 1 / 24), size=200)
    values = []
    for drawn in counts:
        areas = []
        for names, labels, probabilities in folds:
            repeats = [drawn[every.index(name)] for name in names]
            areas.append(metrics.auc(np.repeat(labels, repeats), np.repeat(probabilities, repeats)))
        if None not in areas:
            values.append(np.mean(areas))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))))
    assert interval.skipped == 200 - len(values)


def test_too_few_videos_of_a_class_have_no_interval():
    assert mean_interval([_fold(list("abcdefghi"), [0] * 4 + [1] * 5, np.linspace(0, 1, 9))], 0) is None


def test_weighted_accuracy_counts_right_answers():
    labels, probabilities = np.array([0, 0, 1]), np.array([0.2, 0.7, 0.6])
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
    found = partial(weighted_accuracy, threshold=0.5)(labels, probabilities, weights)
    assert found == pytest.approx([2 / 3, 1 / 3, np.nan], nan_ok=True)
