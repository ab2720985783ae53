"""The cuts hold their rates on the videos they were chosen on; the limits cover what others would show."""

import numpy as np
import pytest

from deepfake_ssat.metrics import allowed_errors, choose_band, upper_limit, videos_needed


def test_band_by_hand():
    reals = [0.1, 0.2, 0.3, 0.5, 0.7]
    fakes = [0.25, 0.4, 0.6, 0.8, 0.9]
    band = choose_band([0] * 5 + [1] * 5, reals + fakes, 0.2, 0.2)
    # One of five may err: fake above 0.5, half-way to 0.6; real below 0.4, half-way from 0.3.
    assert (band.low, band.high) == pytest.approx((0.35, 0.55))
    assert (band.false_alarms, band.misses) == (1, 1)


def test_without_allowed_errors_the_whole_overlap_is_uncertain():
    band = choose_band([0] * 3 + [1] * 3, [0.1, 0.2, 0.7, 0.3, 0.8, 0.9], 0.05, 0.05)
    assert (band.low, band.high) == pytest.approx((0.25, 0.75))
    assert (band.false_alarms, band.misses) == (0, 0)


def test_classes_that_lie_apart_have_one_cut_between_them():
    band = choose_band([0] * 20 + [1] * 20, [*np.linspace(0, 0.3, 20), *np.linspace(0.6, 1, 20)], 0.05, 0.05)
    assert band.low == band.high == pytest.approx(0.45)
    assert (band.false_alarms, band.misses) == (0, 0)


def test_genuine_video_above_all_fakes_leaves_a_cut_above_it():
    band = choose_band([0] * 5 + [1] * 5, [0.1, 0.1, 0.1, 0.1, 0.9, 0.5, 0.6, 0.7, 0.8, 0.85], 0.05, 0.05)
    assert band.high == pytest.approx(0.95)
    assert band.false_alarms == 0


def test_genuine_videos_at_one_leave_no_cut():
    assert choose_band([0] * 5 + [1] * 5, [0.1] * 4 + [1.0] + [0.9] * 5, 0.05, 0.05) is None


def test_fakes_at_zero_leave_no_claim_of_real():
    band = choose_band([0] * 5 + [1] * 5, [0.1, 0.2, 0.3, 0.4, 0.5, 0.0, 0.8, 0.8, 0.9, 0.9], 0.05, 0.05)
    assert band.low == 0.0
    assert band.misses == 0


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_rates_hold_with_and_without_ties(rate, decimals):
    generator = np.random.default_rng(round(1000 * rate) + decimals)
    for _ in range(50):
        labels = np.repeat([0, 1], generator.integers(5, 40, 2))
        scores = np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 0.9).round(decimals)
        band = choose_band(labels, scores, rate, rate)
        assert 0 <= band.low <= band.high <= 1
        assert band.false_alarms == np.sum(scores[labels == 0] >= band.high)
        assert band.misses == np.sum(scores[labels == 1] < band.low)
        assert band.false_alarms <= rate * np.sum(labels == 0)
        assert band.misses <= rate * np.sum(labels == 1)


def test_allowed_errors_are_whole_videos():
    assert [allowed_errors(0.05, number) for number in (5, 19, 20, 39, 40)] == [0, 0, 1, 1, 2]
    assert allowed_errors(0.07, 100) == 7
    assert allowed_errors(0.29, 100) == 29


def test_upper_limit_is_clopper_and_pearsons():
    # Without an error the limit p solves (1 - p) ** n = 0.05; with one it solves the binomial sum.
    assert upper_limit(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    limit = upper_limit(1, 20)
    assert (1 - limit) ** 20 + 20 * limit * (1 - limit) ** 19 == pytest.approx(0.05)
    assert limit == pytest.approx(0.2161, abs=1e-4)
    assert upper_limit(5, 5) == 1.0


@pytest.mark.slow
def test_limit_covers_other_videos_in_95_of_100_calibrations():
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        # Uniform scores: the share beyond a cut is known. Fakes far above do not move the cut.
        reals = generator.random(40) * 0.5
        band = choose_band([0] * 40 + [1] * 40, [*reals, *(generator.random(40) * 0.4)], 0.05, 0.05)
        covered.append(1 - band.high / 0.5 <= upper_limit(2, 40))
    # Half-way cuts lie a little higher than the exact one.
    assert 0.94 <= np.mean(covered) <= 1.0


def test_fifty_nine_videos_without_an_error_show_five_percent():
    assert videos_needed(0.05) == 59
    assert upper_limit(0, 59) <= 0.05 < upper_limit(0, 58)
