"""Our replacements give what Albumentations gives, frame by frame."""

import albumentations as A
import numpy as np
import pytest

from deepfake_ssat.clips.fast_transforms import (
    FastAffine,
    FastFancyPCA,
    FastGaussNoise,
    FastHorizontalFlip,
    fancy_pca_matrix,
)
from tests.clips.pictures import colourful_frame, moving_clip, static_clip

_AFFINE = {"scale": (0.8, 1.2), "translate_percent": (-0.1, 0.1), "rotate": (-10, 10), "keep_ratio": True}
_NOISE = {"std_range": (0.02, 0.03)}


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance"),
    [
        (FastAffine(**_AFFINE, p=1), A.Affine(**_AFFINE, p=1), 0),
        (FastHorizontalFlip(p=1), A.HorizontalFlip(p=1), 0),
        # The parent truncates where ours rounds.
        (FastGaussNoise(**_NOISE, p=1), A.GaussNoise(**_NOISE, p=1), 1),
        (FastFancyPCA(alpha=2.0, p=1), A.FancyPCA(alpha=2.0, p=1), 1),
    ],
    ids=["affine", "flip", "noise", "fancy_pca"],
)
@pytest.mark.parametrize("seed", range(5))
def test_every_frame_equals_albumentations_on_that_frame(ours, theirs, tolerance, seed):
    ours.set_random_seed(seed)
    theirs.set_random_seed(seed)
    expected = theirs(image=colourful_frame())["image"].astype(int)
    assert np.abs(expected - colourful_frame()).max() > 1
    for frame in ours(images=static_clip())["images"]:
        assert np.abs(frame - expected).max() <= tolerance


@pytest.mark.parametrize("transform", ["affine", "flip", "noise"])
def test_moving_clip_equals_albumentations_own_images_path(transform):
    ours, theirs = {
        "affine": (FastAffine(**_AFFINE, p=1), A.Affine(**_AFFINE, p=1)),
        "flip": (FastHorizontalFlip(p=1), A.HorizontalFlip(p=1)),
        "noise": (FastGaussNoise(**_NOISE, p=1), A.GaussNoise(**_NOISE, p=1)),
    }[transform]
    ours.set_random_seed(3)
    theirs.set_random_seed(3)
    difference = ours(images=moving_clip())["images"] - theirs(images=moving_clip())["images"].astype(int)
    assert np.abs(difference).max() <= (transform == "noise")


def test_noise_does_not_change_the_mean_brightness():
    clip = np.full((2, 64, 64, 3), 128, np.uint8)
    transform = FastGaussNoise(std_range=(0.02, 0.02), p=1)
    transform.set_random_seed(0)
    noisy = transform(images=clip)["images"].astype(float)
    assert abs(noisy.mean() - 128) < 0.15
    assert noisy.std() == pytest.approx(0.02 * 255, rel=0.05)


def test_fancy_pca_of_two_colour_clip_stretches_along_the_line_between_them():
    """Pixels grey 100 or 200 vary along (1, 1, 1) only: variance (50/255)² a channel, eigenvalue 3 × that."""
    clip = np.full((2, 8, 8, 3), 100, np.uint8)
    clip[:, :, ::2] = 200
    count = clip.size // 3
    eigenvalue = 3 * (50 / 255) ** 2 * count / (count - 1)
    matrix = fancy_pca_matrix(clip, np.array([0.5, 0.0, 0.0]))
    # V·diag(alphas·eigenvalues) has one column, ±(1, 1, 1)/√3 · 0.5 · eigenvalue, for the first channel.
    expected = 0.5 * eigenvalue / np.sqrt(3)
    assert np.abs(matrix[:, :3] - np.eye(3))[:, 0] == pytest.approx([expected] * 3)
    assert np.allclose((matrix[:, :3] - np.eye(3))[:, 1:], 0)
    assert np.allclose(matrix @ [150, 150, 150, 1], 150)


def test_fancy_pca_of_large_clip_reads_a_part_and_agrees_with_the_whole():
    clip = moving_clip(8, 256)
    alphas = np.array([0.3, -0.2, 0.1])
    pixels = clip.reshape(-1, 3) / 255
    values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
    whole = vectors[:, ::-1] @ np.diag(alphas * values[::-1])
    # Eigenvectors come with either sign: compare the columns' sizes, in grey levels over the whole range.
    difference = np.abs(fancy_pca_matrix(clip, alphas)[:, :3] - np.eye(3)) - np.abs(whole)
    assert np.abs(difference).max() * 255 < 0.1
