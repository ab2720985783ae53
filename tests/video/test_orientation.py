"""The eight right-angled orientations, against the display matrix's definition worked out point by point."""

import numpy as np
import pytest

from deepfake_ssat.video.orientation import Orientation, orientation_from_matrix

TURNS = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]
MIRRORED = [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)]


def display_matrix(a, b, c, d):
    return np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], np.int32).tobytes()


def show_point_by_point(pixels, a, b, c, d):
    """Move each pixel to (a x + c y, b x + d y), then shift the whole into view."""
    height, width = pixels.shape[:2]
    places = {}
    for y in range(height):
        for x in range(width):
            places[a * x + c * y, b * x + d * y] = pixels[y, x]
    left, top = (min(place[axis] for place in places) for axis in (0, 1))
    right, bottom = (max(place[axis] for place in places) for axis in (0, 1))
    rows = [[places[x, y] for x in range(left, right + 1)] for y in range(top, bottom + 1)]
    return np.array(rows, pixels.dtype)


@pytest.mark.parametrize("coefficients", TURNS + MIRRORED)
def test_orientation_shows_every_pixel_where_the_matrix_says(coefficients):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    orientation = orientation_from_matrix(display_matrix(*coefficients))
    shown = orientation.apply(pixels)
    np.testing.assert_array_equal(shown, show_point_by_point(pixels, *coefficients))
    assert shown.flags.c_contiguous
    assert orientation.size(5, 3) == (shown.shape[1], shown.shape[0])


def test_degrees_count_clockwise():
    assert [orientation_from_matrix(display_matrix(*turn)).degrees for turn in TURNS] == [0, 90, 180, 270]


def test_slightly_tilted_matrix_is_taken_as_the_nearest_right_angle():
    assert orientation_from_matrix(display_matrix(3, 1, -1, 3)) == Orientation()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("mirrored_x", [False, True])
@pytest.mark.parametrize("mirrored_y", [False, True])
def test_turning_on_is_turning_the_picture(transposed, mirrored_x, mirrored_y, degrees):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    orientation = Orientation(transposed, mirrored_x, mirrored_y)
    expected = np.rot90(orientation.apply(pixels), -degrees // 90)
    np.testing.assert_array_equal(orientation.turned(degrees).apply(pixels), expected)
