import numpy as np
import pytest
import torch

from deepfake_ssat.models.patches import (
    count_hidden,
    patchify,
    split_tokens,
    take_tokens,
    tube_mask,
    unpatchify,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_patchify_orders_tokens_and_values_as_written():
    clips = torch.arange(2 * 3 * 4 * 4 * 6).reshape(2, 3, 4, 4, 6)
    patches = patchify(clips, 2, 2).numpy()
    assert patches.shape == (2, 2 * 2 * 3, 2 * 2 * 2 * 3)
    for token, (step, row, column) in enumerate(np.ndindex(2, 2, 3)):
        for value, (frame, y, x, channel) in enumerate(np.ndindex(2, 2, 2, 3)):
            pixel = clips[1, channel, 2 * step + frame, 2 * row + y, 2 * column + x]
            assert patches[1, token, value] == pixel


def test_unpatchify_undoes_patchify():
    clips = torch.randn(2, 3, 4, 8, 8, generator=generator())
    assert torch.equal(unpatchify(patchify(clips, 2, 4), (2, 2, 2), 2, 4), clips)


@pytest.mark.parametrize(("ratio", "hidden"), [(0.75, 147), (0.9, 176), (0.95, 186)])
def test_tube_mask_hides_same_cells_in_every_step(ratio, hidden):
    mask = tube_mask(5, (8, 14, 14), ratio, generator(), "cpu").reshape(5, 8, 196)
    assert mask.dtype == torch.bool
    assert (mask.sum(dim=2) == hidden).all()
    assert (mask == mask[:, :1]).all()


@pytest.mark.parametrize("side", [2, 3, 5, 7, 8, 10, 12, 14])
@pytest.mark.parametrize("ratio", [0.5, 0.6, 0.75, 0.9, 0.95])
def test_tube_mask_hides_as_many_cells_as_videomae(side, ratio):
    per_step = int(ratio * side * side)  # VideoMAE: int(mask_ratio * num_patches_per_frame)
    mask = tube_mask(2, (3, side, side), ratio, generator(), "cpu").reshape(2, 3, -1)
    assert (mask.sum(dim=2) == per_step).all()


def test_three_quarters_of_49_cells_are_36():
    assert count_hidden(49, 0.75) == 36


def test_tube_masks_differ_between_clips_and_cover_all_cells():
    masks = tube_mask(200, (1, 4, 4), 0.75, generator(), "cpu")
    assert len(torch.unique(masks, dim=0)) > 100
    share = masks.float().mean(dim=0)
    assert share.min() > 0.6
    assert share.max() < 0.9


def test_same_seed_gives_same_mask():
    first, second = (tube_mask(3, (2, 7, 7), 0.75, generator(4), "cpu") for _ in range(2))
    assert torch.equal(first, second)


def test_at_least_one_cell_is_hidden_and_one_visible():
    assert count_hidden(4, 0.01) == 1
    assert count_hidden(4, 0.99) == 3
    with pytest.raises(ValueError, match="cannot be masked"):
        count_hidden(1, 0.5)


def test_split_tokens_is_ascending_and_complete():
    mask = torch.tensor([[True, False, True, False], [False, False, True, True]])
    visible, hidden = split_tokens(mask)
    assert visible.tolist() == [[1, 3], [0, 1]]
    assert hidden.tolist() == [[0, 2], [2, 3]]


def test_rows_that_hide_different_numbers_are_refused():
    with pytest.raises(ValueError, match="different numbers"):
        split_tokens(torch.tensor([[True, True], [True, False]]))


def test_take_tokens_serves_one_table_to_all_clips():
    table = torch.arange(6.0).reshape(1, 3, 2)
    taken = take_tokens(table, torch.tensor([[2, 0], [1, 2]]))
    assert taken.tolist() == [[[4.0, 5.0], [0.0, 1.0]], [[2.0, 3.0], [4.0, 5.0]]]


def test_tube_mask_hides_first_what_was_hidden_less_often():
    times_hidden = torch.zeros(16)
    for _ in range(4):
        times_hidden += tube_mask(1, (1, 4, 4), 0.75, generator(), "cpu", times_hidden)[0]
    assert times_hidden.tolist() == [3.0] * 16
