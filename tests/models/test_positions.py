import math

import numpy as np
import pytest
import torch

from deepfake_ssat.models.positions import position_table


def mae_table_by_hand(side: int, width: int) -> np.ndarray:
    """(side², width), value by value: sin and cos of the column, then sin and cos of the row."""
    table = np.zeros((side * side, width))
    quarter = width // 4
    for row in range(side):
        for column in range(side):
            for k in range(quarter):
                rate = 10000 ** (-k / quarter)
                table[row * side + column, k] = math.sin(column * rate)
                table[row * side + column, quarter + k] = math.cos(column * rate)
                table[row * side + column, 2 * quarter + k] = math.sin(row * rate)
                table[row * side + column, 3 * quarter + k] = math.cos(row * rate)
    return table


def test_1d_table_is_the_transformers_over_the_flat_index():
    table = position_table("sincos_1d", (2, 3, 3), 8).numpy()
    assert table.shape == (18, 8)
    for position in range(18):
        for pair in range(4):
            angle = position / 10000 ** (2 * pair / 8)
            assert table[position, 2 * pair] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * pair + 1] == pytest.approx(math.cos(angle), abs=1e-6)


def test_2d_table_is_that_of_mae_and_repeats_over_time():
    table = position_table("sincos_2d", (2, 5, 5), 16).numpy()
    np.testing.assert_allclose(table[:25], mae_table_by_hand(5, 16), atol=1e-6)
    np.testing.assert_array_equal(table[:25], table[25:])


def test_3d_table_tells_time_in_its_first_quarter_and_the_grid_in_the_rest():
    table = position_table("sincos_3d", (3, 2, 2), 32).numpy().reshape(3, 4, 32)
    for step in range(3):
        for k in range(4):
            assert table[step, 0, k] == pytest.approx(math.sin(step * 10000 ** (-k / 4)), abs=1e-6)
            assert table[step, 0, 4 + k] == pytest.approx(math.cos(step * 10000 ** (-k / 4)), abs=1e-6)
        np.testing.assert_allclose(table[step, :, 8:], mae_table_by_hand(2, 24), atol=1e-6)
    np.testing.assert_array_equal(table[:, :1, :8].repeat(4, axis=1), table[:, :, :8])


@pytest.mark.parametrize("kind", ["sincos_1d", "sincos_3d"])
def test_every_token_of_a_clip_has_its_own_position(kind):
    table = position_table(kind, (8, 14, 14), 192)
    assert len(torch.unique(table, dim=0)) == 1568


def test_interpolated_table_by_hand():
    coarse = position_table("sincos_3d", (2, 1, 1), 16)
    fine = position_table("sincos_3d", (4, 1, 1), 16, (2, 1, 1))
    # New steps lie at -0.25, 0.25, 0.75 and 1.25 of the old; beyond the ends the last value holds.
    expected = torch.stack([coarse[0].lerp(coarse[1], weight) for weight in (0.0, 0.25, 0.75, 1.0)])
    torch.testing.assert_close(fine, expected)


def test_table_holds_numbers_while_a_model_is_built_without_memory():
    with torch.device("meta"):
        assert position_table("sincos_1d", (1, 2, 2), 4).device.type == "cpu"
        assert position_table("sincos_1d", (1, 4, 4), 4, (1, 2, 2)).device.type == "cpu"
