"""Pictures made here, on which ``--smoke`` shows that every step works and no number means anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepfake_ssat.config import ArrayFile, Experiment
from deepfake_ssat.errors import ConfigError

MADE_UP_FOLDER = "made_up"
PICTURES = {"train": 48, "val": 16, "test": 32}


def make_up_data(experiment: Experiment, file: Path) -> None:
    """Writes what an experiment reads: noise, brighter for higher classes.

    Raises ConfigError for a kind of data that is not made up.
    """
    if not isinstance(experiment.data, ArrayFile):
        raise ConfigError(f"--smoke: data.kind {experiment.data.kind} is not made up here; give --data")
    generator = np.random.default_rng(0)
    side, classes = experiment.model.image_size, experiment.model.num_classes
    arrays = {}
    for split, count in PICTURES.items():
        labels = np.arange(count) % classes
        noise = generator.integers(0, 100, (count, side, side))
        arrays[f"{split}_images"] = (noise + labels[:, None, None] * (155 // classes)).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **arrays)
