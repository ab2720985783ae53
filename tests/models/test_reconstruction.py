import numpy as np
import pytest
import torch

from deepfake_ssat.models.patches import split_tokens, take_tokens, tube_mask
from deepfake_ssat.models.pixels import denormalize, normalize_pixels
from deepfake_ssat.models.reconstruction import (
    reconstructed_pixels,
    reconstruction_errors,
    reconstruction_target,
)
from tests.models.tiny import VIDEO

MASK = tube_mask(2, VIDEO.grid, 0.75, torch.Generator().manual_seed(0), "cpu")


def some_clips() -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), dtype=np.uint8)
    return normalize_pixels(torch.from_numpy(pixels), VIDEO)


def tube_patch(clips: torch.Tensor, row: int, column: int) -> np.ndarray:
    """(2, 8, 8, 3): the second clip's tube patch at the first time step, cut out by hand."""
    cut = clips[1, :, :2, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    return cut.permute(1, 2, 3, 0).double().numpy()


def test_videomae_target_is_normalised_per_patch_and_channel_of_unit_pixels():
    clips = some_clips()
    target, _ = reconstruction_target(clips, VIDEO, normalize=True, convention="videomae")
    patch = tube_patch(denormalize(clips, VIDEO), 2, 1)
    mean, std = patch.mean(axis=(0, 1, 2)), patch.std(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(target[1, 9].numpy(), ((patch - mean) / (std + 1e-6)).ravel(), atol=1e-4)


def test_mae_target_is_normalised_per_patch_over_the_network_input():
    clips = some_clips()
    target, _ = reconstruction_target(clips, VIDEO, normalize=True, convention="mae")
    patch = tube_patch(clips, 2, 1)
    expected = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 1e-6)
    np.testing.assert_allclose(target[1, 9].numpy(), expected.ravel(), atol=1e-4)


def test_raw_targets_are_unit_pixels_for_videomae_and_the_input_for_mae():
    clips = some_clips()
    videomae, _ = reconstruction_target(clips, VIDEO, normalize=False, convention="videomae")
    mae, _ = reconstruction_target(clips, VIDEO, normalize=False, convention="mae")
    assert videomae.min() >= 0.0
    assert videomae.max() <= 1.0
    np.testing.assert_allclose(mae[1, 9].numpy(), tube_patch(clips, 2, 1).ravel(), atol=1e-6)


def test_flat_patches_give_finite_targets():
    clips = torch.zeros(1, 3, 4, 32, 32)
    for convention in ("videomae", "mae"):
        target, _ = reconstruction_target(clips, VIDEO, normalize=True, convention=convention)
        assert target.abs().max() < 0.2


def test_errors_are_of_hidden_tokens_alone():
    clips = some_clips()
    target, _ = reconstruction_target(clips, VIDEO, normalize=True, convention="videomae")
    predictions = take_tokens(target, split_tokens(MASK)[1]) + 2.0
    disturbed = torch.where(MASK.unsqueeze(-1), target, torch.full_like(target, 99.0))
    torch.testing.assert_close(
        reconstruction_errors(predictions, disturbed, MASK), torch.full((2, int(MASK[0].sum())), 4.0)
    )


@pytest.mark.parametrize("convention", ["videomae", "mae"])
@pytest.mark.parametrize("normalize", [True, False])
def test_perfect_predictions_give_the_picture_back(convention, normalize):
    clips = some_clips()
    target, _ = reconstruction_target(clips, VIDEO, normalize=normalize, convention=convention)
    predictions = take_tokens(target, split_tokens(MASK)[1])
    pixels = reconstructed_pixels(clips, MASK, predictions, VIDEO, normalize=normalize, convention=convention)
    torch.testing.assert_close(pixels, denormalize(clips, VIDEO), atol=1e-4, rtol=0)
