"""The set of pictures that a checkpoint was trained on, as its provenance tells it."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from deepfake_ssat.config import DataSource, FaceClips, Mixture, PictureSource
from deepfake_ssat.config.pictures import moved
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import Checkpoint


def trained_pictures(checkpoint: Checkpoint, place: Path) -> PictureSource:
    """The set where it lies here; raises CheckpointError where the checkpoint tells of no pictures."""
    stored = (checkpoint.provenance.get("config") or {}).get("data")
    try:
        source = TypeAdapter(DataSource).validate_python(stored)
    except ValidationError as error:
        raise CheckpointError(
            f"{checkpoint.path}: does not say what pictures it was trained on; give one that train wrote"
        ) from error
    if isinstance(source, FaceClips | Mixture):
        raise CheckpointError(f"{checkpoint.path}: was trained on face clips; give the folder of preprocess")
    return moved(source, place)
