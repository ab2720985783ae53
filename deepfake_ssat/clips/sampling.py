"""Which items an epoch shows, and how the classes weigh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepfake_ssat.errors import ManifestError
from deepfake_ssat.records import FAKE, REAL


def epoch_order(
    labels: Sequence[int],
    seed: int,
    epoch: int,
    balanced: bool = False,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> np.ndarray:
    """All items in random order, or as many that are balanced; those of ``pairs`` follow each other.

    Balanced sampling draws them singly.
    """
    if balanced:
        return np.array(balanced_indices(labels, seed, epoch))
    generator = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    if pairs is None:
        return generator.permutation(len(labels))
    return _in_pairs(len(labels), pairs, generator)


def _in_pairs(num_items: int, pairs: Sequence[tuple[int, int]], generator: np.random.Generator) -> np.ndarray:
    """Pairs together; the others are coupled at random, an odd one comes last."""
    together = np.array(pairs, dtype=int).reshape(-1, 2)
    singles = generator.permutation(np.setdiff1d(np.arange(num_items), together.ravel()))
    odd = len(singles) % 2
    couples = np.concatenate([together, singles[: len(singles) - odd].reshape(-1, 2)])
    return np.concatenate([generator.permutation(couples).ravel(), singles[len(singles) - odd :]])


def balanced_indices(labels: Sequence[int], seed: int, epoch: int) -> list[int]:
    """``len(labels)`` item indices in random order, every class equally often (to within one).

    The same on every process, and after a resume: it depends on the arguments only. Within a class no item
    comes a second time before all have come once; a large class shows another part of it every epoch.
    """
    generator = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    values = np.asarray(labels)
    classes = np.unique(values)
    shares = np.full(len(classes), len(values) // len(classes))
    shares[generator.permutation(len(classes))[: len(values) % len(classes)]] += 1
    drawn = [
        _draw(np.flatnonzero(values == label), int(share), generator)
        for label, share in zip(classes, shares, strict=True)
    ]
    return generator.permutation(np.concatenate(drawn)).tolist()


def _draw(members: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` of the members: whole permutations of them, the last one cut."""
    rounds = -(-count // len(members))
    return np.concatenate([generator.permutation(members) for _ in range(rounds)])[:count]


def fake_fraction(labels: Sequence[int]) -> float:
    """The part of fakes among the labels: w of equation 3; raises ManifestError where a class is absent."""
    num_fake, num_real = list(labels).count(FAKE), list(labels).count(REAL)
    if not num_fake or not num_real:
        raise ManifestError(
            f"training clips are {num_real} real and {num_fake} fake, a class weight needs both; "
            "select both kinds or set objective.class_weight to none"
        )
    return num_fake / (num_fake + num_real)
