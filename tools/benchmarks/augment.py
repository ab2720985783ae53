"""Prints milliseconds per clip of each augmentation, ours against Albumentations as is, in one run.

    python tools/benchmarks/augment.py [--size 224] [--frames 16] [--repeats 15]

Ours and theirs take turns, so that a busy machine disturbs both alike: read the ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

# isort: off
# First: it keeps Albumentations from asking a server for its newest version.
from deepfake_ssat.clips.augment import AUGMENTATIONS
from deepfake_ssat.clips.dfdc_augment import DfdcAugmentation, dfdc_transforms

import albumentations as A
import cv2
import numpy as np

Apply = Callable[[np.ndarray, int], object]
"""Changes a clip, with a seed."""


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=224, help="side of the frames in pixels")
    parser.add_argument("--frames", type=int, default=16, help="frames of a clip")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls of each transform")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clip = _clip(options.frames, options.size)
    print(f"ms per clip of {options.frames} frames of {options.size} px, medians, one thread")
    print(f"{'':24}{'naive':>10}{'ours':>10}{'ratio':>8}")
    for ours in _opened(dfdc_transforms()):
        theirs = _as_is(ours)
        _print_row(type(theirs).__name__, clip, options.repeats, _forced(theirs), _forced(ours))
    compare_sets(options.frames, options.size, max(options.repeats * 6, 60))
    for name in ("flip", "rand_augment"):
        steps = AUGMENTATIONS[name](options.size)
        total = sum(_milliseconds([_generated(step) for step in steps], clip, options.repeats, np.mean))
        print(f"{name + ' (mean)':24}{'':10}{total:10.2f}")


def compare_sets(frames: int, size: int, draws: int) -> float:
    """How many times faster our whole set is; it draws what runs, so the mean over many draws counts."""
    naive, ours = A.Compose(_all_as_is(dfdc_transforms())), DfdcAugmentation()
    candidates = (_composed(naive), _generated(ours))
    return _print_row("whole set (mean)", _clip(frames, size), draws, *candidates, np.mean)


def _clip(frames: int, size: int) -> np.ndarray:
    """(frames, size, size, 3) uint8: smooth colours with some noise, moving."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    frame = np.stack([200 * rows + 20, 180 * columns + 40, 120 * rows * columns + 60], axis=-1)
    frame += np.random.default_rng(0).normal(0, 8, frame.shape)
    frame = np.clip(frame, 0, 255).astype(np.uint8)
    return np.stack([np.roll(frame, step, axis=1) for step in range(frames)])


def _opened(transforms: list) -> list[A.BasicTransform]:
    """The transforms with every choice among several opened."""
    opened = []
    for transform in transforms:
        opened += transform.transforms if isinstance(transform, A.OneOf) else [transform]
    return opened


def _as_is(transform: A.BasicTransform) -> A.BasicTransform:
    """Albumentations' own class with the same settings."""
    name = type(transform).__name__.removeprefix("Fast")
    return getattr(A, name)(**transform.get_transform_init_args())


def _all_as_is(transforms: list) -> list:
    return [
        A.OneOf(_all_as_is(transform.transforms), p=transform.p)
        if isinstance(transform, A.OneOf)
        else _as_is(transform)
        for transform in transforms
    ]


def _forced(transform: A.BasicTransform) -> Apply:
    def apply(clip: np.ndarray, seed: int) -> object:
        transform.set_random_seed(seed)
        return transform(force_apply=True, images=clip)

    return apply


def _composed(compose: A.Compose) -> Apply:
    def apply(clip: np.ndarray, seed: int) -> object:
        compose.set_random_seed(seed)
        return compose(images=clip)

    return apply


def _generated(augmentation: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Apply:
    return lambda clip, seed: augmentation(clip, np.random.default_rng(seed))


def _print_row(
    name: str, clip: np.ndarray, repeats: int, naive: Apply, ours: Apply, summary: Callable = np.median
) -> float:
    theirs_ms, ours_ms = _milliseconds([naive, ours], clip, repeats, summary)
    print(f"{name:24}{theirs_ms:10.2f}{ours_ms:10.2f}{theirs_ms / ours_ms:7.1f}×")
    return theirs_ms / ours_ms


def _milliseconds(
    candidates: list[Apply], clip: np.ndarray, repeats: int, summary: Callable = np.median
) -> list[float]:
    """Each candidate's time per call; they take turns."""
    seconds: list[list[float]] = [[] for _ in candidates]
    for seed in range(repeats + 1):
        for candidate, times in zip(candidates, seconds, strict=True):
            start = time.perf_counter()
            candidate(clip, seed)
            times.append(time.perf_counter() - start)
    return [float(summary(times[1:])) * 1000 for times in seconds]


if __name__ == "__main__":
    main()
