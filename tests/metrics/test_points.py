"""Metrics against hand calculation, scikit-learn and SciPy; None where the data cannot give one."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import mannwhitneyu

from deepfake_ssat import metrics

LABELS = [0, 0, 1, 1]
SCORES = [0.1, 0.4, 0.35, 0.8]
"""The example of scikit-learn's documentation: of four pairs three are in order."""


def _drawn(num=300, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(num) < 0.7).astype(int)
    # Rounded, so that there are ties within and between the classes.
    return labels, np.round(np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 2)


def test_auc_counts_pairs_in_order():
    assert metrics.auc(LABELS, SCORES) == 0.75
    assert metrics.auc([0, 1], [0.5, 0.5]) == 0.5


def test_auc_equals_mann_whitney_with_ties():
    labels, scores = _drawn()
    wins = mannwhitneyu(scores[labels == 1], scores[labels == 0]).statistic
    expected = wins / (np.sum(labels == 1) * np.sum(labels == 0))
    assert metrics.auc(labels, scores) == pytest.approx(expected, abs=1e-12)


def test_average_precision_by_hand():
    # Fakes are found at precision 1/1 and 2/3.
    assert metrics.average_precision(LABELS, SCORES) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_error_rate_by_hand():
    # One of four reals above and one of four fakes below every threshold between them.
    assert metrics.equal_error_rate([0, 0, 0, 1, 0, 1, 1, 1], np.arange(8) / 10) == pytest.approx(0.25)
    assert metrics.equal_error_rate([0, 1], [0.2, 0.7]) == 0
    assert metrics.equal_error_rate([0, 1], [0.7, 0.2]) == 1
    assert metrics.equal_error_rate([0, 1], [0.5, 0.5]) == 0.5


def test_equal_error_rate_is_where_the_interpolated_roc_meets_the_diagonal():
    labels, scores = _drawn()
    false_positives, true_positives, _ = sklearn.metrics.roc_curve(labels, scores)
    expected = brentq(lambda x: 1 - x - interp1d(false_positives, true_positives)(x), 0, 1)
    assert metrics.equal_error_rate(labels, scores) == pytest.approx(expected, abs=1e-9)


def test_true_positive_rate_keeps_to_the_allowed_false_positives():
    reals, fakes = np.arange(100) / 100, [0.995, 0.985, 0.975, 0.5]
    labels, scores = [0] * 100 + [1] * 4, np.concatenate([reals, fakes])
    # At 1 % one real, 0.99, may be called fake; at 5 % five, down to 0.95.
    assert metrics.true_positive_rate_at(labels, scores, 0.01) == 0.5
    assert metrics.true_positive_rate_at(labels, scores, 0.05) == 0.75


def test_true_positive_rate_needs_enough_reals():
    labels, scores = [0] * 99 + [1], np.linspace(0, 1, 100)
    assert metrics.true_positive_rate_at(labels, scores, 0.01) is None
    assert metrics.true_positive_rate_at(labels, scores, 0.05) == 1


def test_accuracy_calls_the_threshold_itself_fake():
    assert metrics.accuracy([0, 1, 1, 0], [0.5, 0.5, 0.4, 0.1]) == 0.5
    assert metrics.accuracy([0, 1, 1, 0], [0.5, 0.5, 0.4, 0.1], threshold=0.4) == 0.75


def test_balanced_accuracy_is_not_moved_by_class_sizes():
    labels, scores = _drawn()
    expected = sklearn.metrics.balanced_accuracy_score(labels, scores >= 0.55)
    assert metrics.balanced_accuracy(labels, scores, 0.55) == pytest.approx(expected)
    assert metrics.balanced_accuracy([1, 1, 1, 0], [0.9, 0.9, 0.9, 0.9]) == 0.5


def test_log_loss_by_hand_and_finite_at_certain_errors():
    assert metrics.log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert metrics.log_loss([1], [0.0]) == pytest.approx(-np.log(1e-7))


def test_log_loss_equals_sklearn():
    labels, scores = _drawn()
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    assert metrics.log_loss(labels, scores) == pytest.approx(sklearn.metrics.log_loss(labels, clipped))


def test_calibration_error_by_hand():
    # Bin [0.8, 0.9]: mean 0.8, 3 of 5 fake; bin [0.1, 0.2]: mean 0.1, 1 of 5 fake.
    labels = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    scores = [0.8] * 5 + [0.1] * 5
    assert metrics.calibration_error(labels, scores) == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)
    assert metrics.reliability_bins(labels, scores) == [
        (pytest.approx(0.1), 0.2, 5),
        (pytest.approx(0.8), 0.6, 5),
    ]


def test_calibration_error_needs_as_many_videos_as_bins():
    assert metrics.calibration_error([1] * 9, [0.5] * 9) is None
    assert metrics.calibration_error([1] * 10, [1.0] * 10) == 0


@pytest.mark.slow
def test_threshold_maximises_balanced_accuracy():
    labels, scores = _drawn()
    chosen = metrics.choose_threshold(labels, scores)
    best = max(
        sklearn.metrics.balanced_accuracy_score(labels, scores >= threshold)
        for threshold in np.linspace(0, 1, 1001)
    )
    assert sklearn.metrics.balanced_accuracy_score(labels, scores >= chosen) == pytest.approx(best)


def test_threshold_lies_half_way_between_scores_and_near_one_half():
    assert metrics.choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == pytest.approx(0.5)
    # 0.25 and 0.65 are equally good.
    assert metrics.choose_threshold([0, 1, 0, 1], [0.2, 0.3, 0.6, 0.7]) == pytest.approx(0.65)
    assert metrics.choose_threshold([0, 1], [0.3, 0.3]) == 0.5


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_has_no_ranking_metric(labels):
    scores = [0.5] * len(labels)
    for metric in (
        metrics.auc,
        metrics.average_precision,
        metrics.equal_error_rate,
        metrics.balanced_accuracy,
        metrics.choose_threshold,
        metrics.roc_points,
    ):
        assert metric(labels, scores) is None
    assert metrics.true_positive_rate_at(labels, scores, 0.05) is None


def test_no_video_has_no_accuracy_and_no_loss():
    assert metrics.accuracy([], []) is None
    assert metrics.log_loss([], []) is None


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5], "must both be"),
        ([0, 2], [0.5, 0.5], "must be 0"),
        ([0, 1], [0.5, float("nan")], "not a number"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
    ],
)
def test_what_is_no_score_is_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        metrics.auc(labels, scores)
