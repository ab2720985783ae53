import numpy as np
import pytest
import torch

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.training.pictures import (
    CAPTION_HEIGHT,
    GAP,
    MASK_SEED,
    SampleCollector,
    reconstruction_picture,
)
from tests.models.tiny import IMAGE, VIDEO

SIDE = 160  # 32 pixels, enlarged five times to reach 140.


def picture(settings, num_samples=2, **objective):
    torch.manual_seed(0)
    shape = (num_samples, settings.frames, 32, 32, 3)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    model = MaskedAutoencoder(settings).eval()
    return pixels, reconstruction_picture(model, pixels, ObjectiveSettings.model_validate(objective))


def cell(sheet, row, column):
    top, left = CAPTION_HEIGHT + row * (SIDE + GAP), column * (SIDE + GAP)
    return sheet[top : top + SIDE : 5, left : left + SIDE : 5]


@pytest.mark.parametrize(("settings", "rows"), [(IMAGE, 2), (VIDEO, 4)], ids=["image", "video"])
def test_picture_has_three_columns_and_a_row_a_frame(settings, rows):
    _, sheet = picture(settings)
    assert sheet.shape == (2 * CAPTION_HEIGHT + rows * (SIDE + GAP), 3 * SIDE + 2 * GAP, 3)
    assert sheet.dtype == np.uint8


def test_picture_says_below_that_normalised_patches_have_their_true_mean_and_contrast():
    _, normalised = picture(IMAGE)
    _, raw = picture(IMAGE, normalize_target=False)
    note = normalised[-CAPTION_HEIGHT:]
    written = np.flatnonzero((note < 128).any(axis=(0, 2)))
    assert written.size > 0
    assert written[-1] < note.shape[1] - GAP
    assert len(raw) == len(normalised) - CAPTION_HEIGHT


def test_first_column_is_the_clip_itself():
    pixels, sheet = picture(VIDEO)
    np.testing.assert_array_equal(cell(sheet, 0, 0), pixels[0, 0].numpy())
    np.testing.assert_array_equal(cell(sheet, 3, 0), pixels[1, 3].numpy())


def test_hidden_cells_are_grey_in_the_second_column_and_predicted_in_the_third():
    pixels, sheet = picture(IMAGE)
    mask = tube_mask(2, IMAGE.grid, 0.75, torch.Generator().manual_seed(MASK_SEED), "cpu")[0].reshape(4, 4)
    hidden = np.kron(mask.numpy(), np.ones((8, 8), dtype=bool))
    masked, reconstruction = cell(sheet, 0, 1), cell(sheet, 0, 2)
    assert np.isin(masked[hidden], (127, 128)).all()
    np.testing.assert_array_equal(masked[~hidden], pixels[0, 0].numpy()[~hidden])
    visible = pixels[0, 0].numpy()[~hidden].astype(int)
    assert np.abs(reconstruction[~hidden].astype(int) - visible).max() <= 1
    assert (reconstruction[hidden] != pixels[0, 0].numpy()[hidden]).any()


def test_samples_are_spread_and_come_in_order():
    collector = SampleCollector(range(10), 3)
    for start in (5, 0):
        items = torch.arange(start, start + 5)
        collector.offer({"item": items, "pixels": items.to(torch.uint8)[:, None]})
    samples = collector.samples()
    assert samples is not None
    assert samples.flatten().tolist() == [0, 4, 9]


def test_nothing_seen_gives_no_samples():
    assert SampleCollector(range(4), 2).samples() is None
