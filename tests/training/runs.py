"""A tiny experiment, in code and as a file, that the training tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deepfake_ssat.config import Experiment


def tiny_values(manifest: Path, **changes: Any) -> dict[str, Any]:
    """An SSAT run of seconds on ``make_manifest``'s clips; sections given are merged into it."""
    values: dict[str, Any] = {
        "seed": 3,
        "model": {
            "frames": 4,
            "tubelet": 2,
            "image_size": 32,
            "patch": 8,
            "encoder": {"width": 32, "depth": 2, "heads": 2, "drop_path": 0.1},
            "decoder": {"width": 32, "depth": 1, "heads": 2},
        },
        "objective": {"name": "ssat"},
        "data": {"kind": "face_clips", "manifest": str(manifest), "val_clips_per_face": 2},
        "augmentation": {"name": "flip"},
        "optimizer": {"batch_size": 2, "base_learning_rate": 0.2, "warmup_epochs": 1},
        "trainer": {
            "epochs": 2,
            "precision": "fp32",
            "workers": 0,
            "log_every_steps": 1,
            "checkpoint_every_steps": 2,
            "reconstruction_samples": 2,
        },
    }
    for section, settings in changes.items():
        if isinstance(settings, dict):
            values[section] = values.get(section, {}) | settings
        else:
            values[section] = settings
    return values


def write_config(file: Path, values: dict[str, Any]) -> Path:
    """The experiment as a complete YAML file."""
    Experiment.model_validate(values)
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return file
