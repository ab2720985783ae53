import numpy as np
import pytest
import torch

from deepfake_ssat.models.pixels import denormalize, normalize_pixels
from tests.models.tiny import VIDEO, changed


def random_pixels(shape) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_normalized_pixels_are_scaled_shifted_and_channels_first():
    pixels = random_pixels((2, 4, 6, 5, 3))
    expected = (pixels / 255.0 - np.array(VIDEO.mean)) / np.array(VIDEO.std)
    clips = normalize_pixels(torch.from_numpy(pixels), VIDEO)
    assert clips.dtype == torch.float32
    np.testing.assert_allclose(clips.numpy(), expected.transpose(0, 4, 1, 2, 3), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_denormalize_undoes_normalize(channels):
    settings = changed(VIDEO, channels=channels, mean=(0.5,), std=(0.25,))
    pixels = torch.from_numpy(random_pixels((1, 2, 4, 4, channels)))
    back = denormalize(normalize_pixels(pixels, settings), settings)
    torch.testing.assert_close(back.permute(0, 2, 3, 4, 1) * 255, pixels.float(), atol=1e-3, rtol=0)
