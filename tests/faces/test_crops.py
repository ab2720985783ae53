import numpy as np
import pytest

from deepfake_ssat.faces.crops import crop_square, cut_finally, cut_loosely, into_crop, smooth_squares

RAMP = np.stack(np.broadcast_arrays(np.arange(200)[None, :], np.arange(100)[:, None], 50), -1).astype(
    np.uint8
)
"""(100, 200, 3): red tells the column, green the row."""


def cut(square, size, frame=RAMP):
    square = np.array(square, float)
    return cut_finally(cut_loosely(frame, square, size), square, size)


def test_square_is_the_longer_side_with_margin():
    np.testing.assert_allclose(crop_square(np.array([10, 20, 50, 80]), 0.5), [30, 50, 90])


def test_crop_inside_the_frame_is_the_frame_itself():
    np.testing.assert_array_equal(cut((60, 50, 40), 40), RAMP[30:70, 40:80])


def test_border_is_padded_with_black_and_nothing_is_stretched():
    crop = cut((5, 50, 40), 40)
    assert (crop[:, :15] == 0).all()
    np.testing.assert_array_equal(crop[:, 15:], RAMP[30:70, :25])


def test_crop_larger_than_the_frame_shows_the_whole_frame():
    crop = cut((100, 50, 240), 240)
    np.testing.assert_array_equal(crop[70:170, 20:220], RAMP)


def test_shrunk_crop_keeps_its_place():
    crop = cut((100, 50, 80), 20).astype(float)
    assert crop[..., 0].mean() == pytest.approx(99.5, abs=1)
    assert crop[..., 1].mean() == pytest.approx(49.5, abs=1)
    assert crop[0, -1, 0] - crop[0, 0, 0] == pytest.approx(76, abs=2)


def test_points_follow_into_the_crop():
    points = into_crop(np.array([[60.0, 50.0], [40.0, 30.0]]), np.array([60.0, 50.0, 40.0]), 80)
    np.testing.assert_allclose(points, [[40, 40], [0, 0]])


def test_smoothing_leaves_steady_motion_alone_and_calms_jitter():
    steady = np.stack([np.arange(60) * 2.0, np.full(60, 50.0), np.full(60, 40.0)], axis=1)
    middle = slice(20, 40)
    np.testing.assert_allclose(smooth_squares(steady, middle, 8), steady[middle], atol=1e-9)
    jittered = steady + np.random.default_rng(0).normal(0, 1, steady.shape)
    rest = smooth_squares(jittered, middle, 8) - steady[middle]
    assert np.abs(rest).mean() < 0.5 * np.abs(jittered[middle] - steady[middle]).mean()


def test_smoothed_square_stays_inside_the_loose_crop():
    jump = np.array([[50.0, 50.0, 40.0]] * 20 + [[150.0, 50.0, 60.0]] * 20)
    smoothed = smooth_squares(jump, slice(0, 40), 8)
    reach = np.abs(smoothed[:, :2] - jump[:, :2]).max(axis=1) + smoothed[:, 2] / 2
    assert (reach <= 1.5 * jump[:, 2] / 2 + 1e-9).all()


def test_no_smoothing_leaves_squares_as_they_are():
    squares = np.random.default_rng(0).uniform(10, 90, (10, 3))
    np.testing.assert_array_equal(smooth_squares(squares, slice(2, 5), 0), squares[2:5])
