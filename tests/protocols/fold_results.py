"""Folds of drawn scores for the tests of tables and merging."""

from __future__ import annotations

import numpy as np

from deepfake_ssat.evaluation.groups import video_estimates
from deepfake_ssat.protocols.results import FoldResult, JudgedVideo

OFFICIAL = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def fold_result(
    held_out: str,
    method: str = "video_ffpp_ssat_075",
    per_class: int = 10,
    unofficial: str = "",
    manipulations: tuple[str, ...] = OFFICIAL,
    threshold: float | None = 0.6,
    settings: dict | None = None,
    warnings: tuple[str, ...] = (),
) -> FoldResult:
    """Overlapping scores; the originals have the same names in every fold."""
    generator = np.random.default_rng(len(held_out))
    labels = np.repeat([0, 1], per_class)
    scores = np.clip(generator.normal(0.35 + 0.3 * labels, 0.2), 0, 1)
    names = [f"ffpp/{'original' if not label else held_out}/{n}" for n, label in enumerate(labels)]
    return FoldResult(
        method=method,
        held_out=held_out,
        trained_on=tuple(name for name in manipulations if name != held_out),
        settings=settings or {"seed": 3},
        settings_sha256="ab" * 32,
        manifest_sha256="cd" * 32,
        checkpoint_sha256="ef" * 32,
        selection={"splits": ["test"], "manipulations": [held_out], "compressions": [], "corpora": ["ffpp"]},
        unofficial=unofficial,
        threshold=threshold,
        threshold_source="stored in the checkpoint",
        num_real=per_class,
        num_fake=per_class,
        dropped_real=0,
        dropped_fake=1,
        metrics=video_estimates(labels, scores, threshold, seed=0),
        videos=tuple(
            JudgedVideo(name, int(label), float(score))
            for name, label, score in zip(names, labels, scores, strict=True)
        ),
        warnings=warnings,
        facts={"command": "deepfake-ssat cross-manipulation x.yaml"},
    )
