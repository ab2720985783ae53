"""Starts a convolutional stem or a frame model from a file: ours, or EfficientNet-Lite0 as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, folded_weights
from deepfake_ssat.models.frame_model import FrameModel
from deepfake_ssat.models.weight_files import read_weights, weights_file

PLACES = {"frame_model": "stem.", "masked_autoencoder": "encoder.stem."}
"""By kind of checkpoint, what begins the names of a stem's weights."""


def load_frame_model(model: FrameModel, path: Path | str) -> list[str]:
    """Copies into the model what fits it, and returns one line for each thing that a user should know.

    A frame model's classifier is taken where it is for as many classes; of a masked autoencoder with a
    convolutional stem, and of EfficientNet-Lite0 as published, only the convolutions. Raises CheckpointError
    for any other file.
    """
    path = weights_file(Path(path))
    weights, header = read_weights(path)
    report = [load_stem(model.stem, weights, header, path)]
    own = {"head.weight": model.head.weight, "head.bias": model.head.bias}
    given = {name: weights[name].float() for name in own if name in weights}
    is_frame_model = _place(weights, header) == PLACES["frame_model"]
    if is_frame_model and all(name in given and given[name].shape == own[name].shape for name in own):
        model.head.load_state_dict({name.removeprefix("head."): value for name, value in given.items()})
        return [*report, "head: from the same file"]
    return [*report, f"head: left as initialised, the file has none for {model.settings.num_classes} classes"]


def load_stem(
    stem: EfficientNetLite, weights: dict[str, Tensor], header: dict[str, Any] | None, path: Path
) -> str:
    """The convolutions out of what ``read_weights`` read of a file; what else it holds is left there."""
    place, needed = _place(weights, header), stem.state_dict()
    try:
        own = folded_weights(weights, stem) if place is None else _placed(weights, place, needed)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: is no EfficientNet-Lite0, as a frame model and model.stem efficientnet_lite0 need "
            f"({error}); give the published file, or a checkpoint of either"
        ) from error
    stem.load_state_dict(own)
    return f"the stem's {len(own)} weights come from {path}"


def _placed(weights: dict[str, Tensor], place: str, needed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stem's weights whose names begin with ``place``; raises ValueError for the first that is amiss."""
    for name, value in needed.items():
        if place + name not in weights:
            raise ValueError(f"{place}{name} is missing")
        given, wanted = tuple(weights[place + name].shape), tuple(value.shape)
        if given != wanted:
            raise ValueError(f"{place}{name} is {given}, not {wanted}")
    return {name: weights[place + name].float() for name in needed}


def _place(weights: dict[str, Tensor], header: dict[str, Any] | None) -> str | None:
    """What begins the names of the stem's weights; None where they have their published names.

    A frame model's weights alone, without a header, are known by their names.
    """
    if header is not None:
        return PLACES.get(header.get("kind", ""), PLACES["frame_model"])
    return PLACES["frame_model"] if "stem.stem.0.weight" in weights else None
