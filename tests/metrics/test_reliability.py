import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from deepfake_ssat.metrics import (
    balanced_bins,
    balanced_brier,
    balanced_calibration_error,
    calibration_error,
    wilson_interval,
)


def drawn(num_real=100, num_fake=100, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [num_real, num_fake])
    return labels, np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1)


def test_equal_classes_give_the_usual_values():
    labels, scores = drawn()
    assert balanced_calibration_error(labels, scores) == pytest.approx(calibration_error(labels, scores))
    assert balanced_brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores))
    bins = balanced_bins(labels, scores)
    for found in bins:
        number = found.num_real + found.num_fake
        assert found.observed == pytest.approx(found.num_fake / number)
        assert (found.low, found.high) == pytest.approx(wilson_interval(found.num_fake, number))


def test_repeating_the_fakes_changes_nothing():
    labels, scores = drawn()
    more = np.concatenate([labels, *[labels[labels == 1]] * 4])
    their = np.concatenate([scores, *[scores[labels == 1]] * 4])
    assert balanced_brier(more, their) == pytest.approx(balanced_brier(labels, scores))
    assert balanced_calibration_error(more, their) == pytest.approx(
        balanced_calibration_error(labels, scores)
    )
    for found, expected in zip(balanced_bins(more, their), balanced_bins(labels, scores), strict=True):
        assert found.num_fake == 5 * expected.num_fake
        assert found.observed == pytest.approx(expected.observed)
        assert found.predicted == pytest.approx(expected.predicted)


def test_bins_by_hand():
    # Two genuine and four fakes: a genuine video weighs twice as much as a fake.
    bins = balanced_bins([0, 1, 0, 1, 1, 1], [0.12, 0.18, 0.95, 1.0, 1.0, 0.9])
    assert [(found.num_real, found.num_fake) for found in bins] == [(1, 1), (1, 3)]
    assert bins[0].observed == pytest.approx((1 / 4) / (1 / 4 + 1 / 2))
    assert bins[0].predicted == pytest.approx((2 * 0.12 + 0.18) / 3)
    assert bins[1].observed == pytest.approx((3 / 4) / (3 / 4 + 1 / 2))
    assert all(found.low < found.observed < found.high for found in bins)


def test_few_videos_have_no_calibration_error():
    assert balanced_calibration_error([0, 1], [0.1, 0.9]) is None
