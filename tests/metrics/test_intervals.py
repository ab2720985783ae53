"""Bootstrap and Wilson intervals: equal to slow references, seeded, absent where they would mislead."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, rankdata

from deepfake_ssat import metrics

PAIRS = [
    (metrics.auc, metrics.weighted_auc),
    (metrics.average_precision, metrics.weighted_average_precision),
    (metrics.equal_error_rate, metrics.weighted_equal_error_rate),
    (metrics.log_loss, metrics.weighted_log_loss),
    (
        partial(metrics.balanced_accuracy, threshold=0.45),
        partial(metrics.weighted_balanced_accuracy, threshold=0.45),
    ),
    (
        partial(metrics.true_positive_rate_at, false_positive_rate=0.05),
        partial(metrics.weighted_true_positive_rate, false_positive_rate=0.05),
    ),
]


def _drawn(num, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(num) < 0.6).astype(int)
    return labels, np.round(np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 2)


@pytest.mark.parametrize(("metric", "weighted"), PAIRS)
def test_weights_mean_repeated_videos(metric, weighted):
    labels, scores = _drawn(150)
    weights = np.random.default_rng(1).integers(0, 4, (5, 150))
    expected = [metric(np.repeat(labels, row), np.repeat(scores, row)) for row in weights]
    assert weighted(labels, scores, weights.astype(float)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("metric", "weighted"), PAIRS)
def test_resample_of_one_class_has_no_value_where_the_metric_has_none(metric, weighted):
    labels, scores = np.array([0] * 20 + [1] * 20), np.linspace(0, 1, 40)
    only_reals = np.array([[1.0] * 20 + [0.0] * 20])
    undefined = metric(labels[:20], scores[:20]) is None
    assert np.isnan(weighted(labels, scores, only_reals)[0]) == undefined


def _auc_of_ranks(labels, scores, axis=-1):
    """Of each row of resamples, by Mann and Whitney's U."""
    fakes = labels.sum(axis)
    pairs_won = (rankdata(scores, axis=axis) * labels).sum(axis) - fakes * (fakes + 1) / 2
    return pairs_won / (fakes * (labels.shape[axis] - fakes))


def test_interval_agrees_with_scipy():
    labels, scores = _drawn(200)
    ours = metrics.bootstrap_interval(metrics.weighted_auc, labels, scores, seed=0, resamples=4000)
    theirs = bootstrap(
        (labels, scores),
        _auc_of_ranks,
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_depends_on_the_seed_only():
    labels, scores = _drawn(60)
    first, again, other = (
        metrics.bootstrap_interval(metrics.weighted_auc, labels, scores, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_clips_of_one_video_stay_together():
    labels, scores = _drawn(40)
    alone = metrics.bootstrap_interval(metrics.weighted_auc, labels, scores, seed=0)
    tripled = metrics.bootstrap_interval(
        metrics.weighted_auc,
        np.repeat(labels, 3),
        np.repeat(scores, 3),
        seed=0,
        videos=np.repeat(np.arange(40), 3),
    )
    assert (tripled.low, tripled.high) == pytest.approx((alone.low, alone.high), abs=1e-12)


def test_resamples_without_both_classes_are_counted():
    labels = [0] * 5 + [1] * 95
    scores = np.linspace(0, 1, 100)
    found = metrics.bootstrap_interval(metrics.weighted_auc, labels, scores, seed=0)
    # (95/100)^100 = 0.6 % of the resamples hold no real.
    assert 0 < found.skipped < 20


def test_few_videos_of_a_class_have_no_interval():
    labels, scores = [0] * 4 + [1] * 50, np.linspace(0, 1, 54)
    assert metrics.bootstrap_interval(metrics.weighted_auc, labels, scores, seed=0) is None
    many_clips_of_one_video = [0] * 30 + list(range(1, 25))
    labels = [0] * 30 + [1] * 24
    assert (
        metrics.bootstrap_interval(
            metrics.weighted_auc, labels, scores, seed=0, videos=many_clips_of_one_video
        )
        is None
    )


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (7, 9), (130, 140)])
def test_wilson_interval_equals_scipy(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert metrics.wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high))
