"""Albumentations transforms whose own ``images`` path is slow, with the same outcome in less time.

T frames, H W pixels, C channels. Each keeps the parent's parameters and random draws, and replaces only how
they are applied to the frames of a clip; ``tools/benchmarks/augment.py`` prints the times of both.
"""

from __future__ import annotations

from typing import Any

import albumentations as A
import cv2
import numpy as np

from deepfake_ssat.clips.flip import flip_clip

_PCA_PIXELS = 16384
"""About so many pixels of a clip serve to estimate its colour covariance."""


class FastFancyPCA(A.FancyPCA):
    """FancyPCA with one covariance for the clip, from a sub-sample, applied as a 3 × 3 colour matrix.

    Albumentations 2 moves a pixel x to x + V·diag(alphas·eigenvalues)·(x − mean), V the eigenvectors: a
    linear map, so one matrix and offset serve all pixels. The parent fits every frame anew: clips flicker.
    """

    def apply_to_images(self, images: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        """(T, H, W, 3) uint8 -> the same."""
        matrix = fancy_pca_matrix(images, params["alpha_vector"])
        frames, height, width, channels = images.shape
        return cv2.transform(images.reshape(frames * height, width, channels), matrix).reshape(images.shape)


def fancy_pca_matrix(images: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 and one random factor a component -> (3, 4): colour matrix and offset, in 0..255."""
    step = max(1, round((images.size / images.shape[-1] / _PCA_PIXELS) ** 0.5))
    # Whole numbers, whose sums are exact: a float product's last digit depends on where the memory lies, and
    # one digit can turn an eigenvector, or its sign.
    sample = images[:, ::step, ::step].reshape(-1, images.shape[-1]).astype(np.int64)
    count, sums = len(sample), sample.sum(axis=0)
    products = (sample[:, :, None] * sample[:, None, :]).sum(axis=0)
    mean = sums / count
    covariance = (count * products - np.outer(sums, sums)) / (count * (count - 1) * 255.0**2)
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    change = eigenvectors[:, ::-1] @ np.diag(alphas * eigenvalues[::-1])
    return np.column_stack([np.eye(len(mean)) + change, -change @ mean])


class FastAffine(A.Affine):
    """Affine with one warp per frame: the parent packs the frames into channels and warps four at a time."""

    def apply_to_images(self, images: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same."""
        matrix = params["matrix"][:2]
        warped = np.empty_like(images)
        for source, target in zip(images, warped, strict=True):
            cv2.warpAffine(
                source,
                matrix,
                (source.shape[1], source.shape[0]),
                dst=target,
                flags=self.interpolation,
                borderMode=self.border_mode,
                borderValue=[float(self.fill)] * 4,  # pyright: ignore[reportArgumentType]
            )
        return warped


class FastHorizontalFlip(A.HorizontalFlip):
    """HorizontalFlip frame by frame through OpenCV."""

    def apply_to_images(self, images: np.ndarray, **params: Any) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same."""
        return flip_clip(images)


class FastGaussNoise(A.GaussNoise):
    """GaussNoise whose pattern is rounded once, then added in integers that saturate.

    The parent truncates the sum instead, which darkens the clip by half a grey level.
    """

    def apply_to_images(self, images: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same; every frame gets the same pattern, as in the parent."""
        noise = np.rint(params["noise_map"]).astype(np.int16)
        noisy = np.empty_like(images)
        for source, target in zip(images, noisy, strict=True):
            cv2.add(source, noise, dst=target, dtype=cv2.CV_8U)
        return noisy
