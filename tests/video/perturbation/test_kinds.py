"""Perturbations: every kind changes pixels, more at each level, the same way each time, and nothing else."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from deepfake_ssat.video.perturbation import (
    KINDS,
    LEVELS,
    Perturbation,
    generator_for,
    perturb_clip,
    perturb_frames,
)
from tests.portraits import portrait_frames

EVERY = [(kind, level) for kind in KINDS for level in LEVELS]


@pytest.fixture(scope="module")
def clip():
    """(T, H, W, 3) of odd sides: a portrait that drifts over a texture."""
    return np.stack(portrait_frames(5, size=(121, 161), face_side=70))


def _perturbed(clip, kind, level, *names, seed=0):
    perturbation = Perturbation(kind, level)
    return perturb_clip(clip, perturbation, generator_for(seed, perturbation, *names))


def _psnr(clip, other):
    return 10 * np.log10(255**2 / np.mean((clip.astype(float) - other) ** 2))


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_is_further_from_the_clip_than_the_one_before(clip, kind):
    ratios = [_psnr(clip, _perturbed(clip, kind, level)) for level in LEVELS]
    assert all(before > after for before, after in pairwise(ratios)), ratios
    # Seen, but not beyond recognition.
    assert 3 < ratios[-1] < ratios[0] < 45


@pytest.mark.parametrize(("kind", "level"), EVERY)
def test_shape_type_and_the_clip_itself_stay(clip, kind, level):
    kept = clip.copy()
    perturbed = _perturbed(clip, kind, level)
    assert perturbed.shape == clip.shape
    assert perturbed.dtype == np.uint8
    np.testing.assert_array_equal(clip, kept)
    assert (perturbed != clip).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_and_name_give_same_pixels(clip, kind):
    first, again = (_perturbed(clip, kind, 3, "ffpp/183") for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", ["blocks", "noise"])
def test_draws_differ_by_frame_seed_video_and_level(clip, kind):
    still = np.repeat(clip[:1], 2, axis=0)
    first = _perturbed(still, kind, 3, "ffpp/183")
    assert (first[0] != first[1]).any()
    assert (first != _perturbed(still, kind, 3, "ffpp/253")).any()
    assert (first != _perturbed(still, kind, 3, "ffpp/183", seed=1)).any()


@pytest.mark.parametrize("kind", ["saturation", "contrast", "blur", "jpeg", "resize"])
def test_what_is_not_random_is_the_same_in_every_frame(clip, kind):
    still = np.repeat(clip[:1], 3, axis=0)
    perturbed = _perturbed(still, kind, 4)
    np.testing.assert_array_equal(perturbed[0], perturbed[2])


def test_saturation_of_level_5_is_grey_and_keeps_the_luma(clip):
    grey = _perturbed(clip, "saturation", 5)
    assert (np.ptp(grey, axis=-1) == 0).all()
    expected = clip @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - expected).max() <= 0.51


def test_contrast_multiplies_values(clip):
    assert np.abs(_perturbed(clip, "contrast", 5) - clip * 0.35).max() <= 0.5 + 1e-6


def test_noise_has_the_published_variance():
    grey = np.full((1, 256, 256, 3), 128, np.uint8)
    noise = _perturbed(grey, "noise", 3).astype(float)[0] - 128
    # Studio range: 219 grey levels of luma, 224 of colour differences; R = Y + 1.402 Cr.
    luma, chroma = (255 * np.sqrt(0.005) * 255 / levels for levels in (219, 224))
    assert noise[..., 0].std() == pytest.approx(np.hypot(luma, 1.402 * chroma), rel=0.02)
    assert abs(noise.mean()) < 0.5


def test_blocks_are_grey_squares_of_the_published_number():
    black = np.zeros((1, 600, 800, 3), np.uint8)
    covered = _perturbed(black, "blocks", 1)[0, ..., 0]
    assert set(np.unique(covered)) == {0, 128}
    # 16 for each whole 256 in the shorter side, of 64 pixels; some overlap.
    assert 0.8 * 32 * 64 < (covered == 128).sum() <= 32 * 64


def test_a_face_crop_gets_blocks_too():
    covered = _perturbed(np.zeros((1, 224, 224, 3), np.uint8), "blocks", 1)
    assert (covered == 128).any()


def test_blur_is_a_gaussian_of_a_sixth_of_its_kernel():
    point = np.zeros((1, 41, 41, 3), np.uint8)
    point[0, 20, 20] = 255
    row = _perturbed(point, "blur", 1)[0, :, :, 0].astype(float).sum(axis=0)
    places = np.arange(41) - 20
    assert row[:17].sum() == row[24:].sum() == 0
    expected = np.exp(-(places**2) / (2 * (7 / 6) ** 2)) * (np.abs(places) <= 3)
    np.testing.assert_allclose(row / row.sum(), expected / expected.sum(), atol=0.02)


def test_jpeg_is_what_a_jpeg_of_that_quality_shows(clip):
    data = cv2.imencode(".jpg", clip[0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(_perturbed(clip, "jpeg", 3)[0], expected)


def test_frames_stream_and_few_are_held_by_the_encoder():
    taken = 0

    def endless():
        nonlocal taken
        picture = np.zeros((64, 64, 3), np.uint8)
        while True:
            taken += 1
            yield picture

    stream = perturb_frames(endless(), Perturbation("video", 1), np.random.default_rng(0))
    for number in range(1, 200):
        next(stream)
        assert taken - number < 80


def test_unknown_kind_or_level_is_refused():
    for kind, level in (("sepia", 1), ("blur", 0), ("blur", 6)):
        with pytest.raises(ValueError, match="no perturbation"):
            Perturbation(kind, level)
