"""Starts a baseline from weights of its timm backbone, or of a trained one, and tells what was done.

F features, K classes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.baselines.cross_efficient_vit import CrossEfficientVit
from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.weight_files import read_weights, weights_file

WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""Of names in training checkpoints: DataParallel's and torch.compile's."""
BACKBONE_PLACES = ("", "encoder.", "backbone.", "model.")
"""Where a file may hold the backbone: timm's own files at their root, the DFDC winner's under ``encoder``."""
COUNTER = "num_batches_tracked"
"""What old files lack of batch normalisation; nothing is computed from it."""


def load_backbone_weights(model: FrameClassifier | CrossEfficientVit, path: Path | str) -> list[str]:
    """Copies into the model what fits it, and returns one line for each thing that a user should know.

    Each backbone is started whole, from the file's backbone or from our checkpoint of the same kind. A
    classifier for other classes stays as initialised; one with a single logit of fake, as the DFDC winner's,
    becomes the second of two. A file of another backbone raises CheckpointError.
    """
    path = weights_file(Path(path))
    raw, header = read_weights(path)
    weights = {WRAPPERS.sub("", name): value for name, value in raw.items()}
    if header is not None and header.get("kind") != model.settings.kind:
        raise CheckpointError(
            f"{path}: holds a model of kind {header.get('kind')}, the configuration's is "
            f"{model.settings.kind}"
        )
    report: list[str] = []
    needed = model.state_dict()
    if header is not None:
        fitting = _ours(weights, needed, path, report)
    else:
        fitting = _published(model, weights, path, report)
    model.load_state_dict(fitting, strict=False)
    return [f"{len(fitting)} of {len(needed)} weights come from {path}", *report]


def load_own_weights(model: Network, path: Path | str) -> list[str]:
    """Copies our checkpoint of the same kind into the model; raises CheckpointError for any other file.

    A classifier for other classes stays as initialised.
    """
    path = weights_file(Path(path))
    weights, header = read_weights(path)
    kind = model.settings.kind
    if header is None or header.get("kind") != kind:
        raise CheckpointError(f"{path}: is no checkpoint of a {kind}; give the best.safetensors of one")
    report: list[str] = []
    needed = model.state_dict()
    fitting = _ours(weights, needed, path, report)
    model.load_state_dict(fitting, strict=False)
    return [f"{len(fitting)} of {len(needed)} weights come from {path}", *report]


def _ours(
    weights: dict[str, Tensor], needed: dict[str, Tensor], path: Path, report: list[str]
) -> dict[str, Tensor]:
    """A checkpoint of the same kind: everything but classifiers of other classes."""
    other_classes = [
        name
        for name in needed
        if _is_classifier(name) and name in weights and weights[name].shape != needed[name].shape
    ]
    rest = [name for name in needed if name not in other_classes]
    _require_all(rest, weights, needed, path)
    report += [
        _left(name.removesuffix(".weight"), weights[name], needed[name])
        for name in other_classes
        if name.endswith("weight")
    ]
    _note_unused(weights.keys() - needed.keys(), report)
    return {name: weights[name] for name in rest if name in weights}


def _published(
    model: FrameClassifier | CrossEfficientVit, weights: dict[str, Tensor], path: Path, report: list[str]
) -> dict[str, Tensor]:
    """Weights of a backbone by timm's names, wherever the file holds them, and a classifier that fits."""
    backbones = model.backbones()
    first = next(iter(backbones.values()))
    counts = {place: sum(place + name in weights for name in first.state_dict()) for place in BACKBONE_PLACES}
    place = max(counts, key=lambda place: counts[place])
    if not counts[place]:
        raise CheckpointError(
            f"{path}: none of its {len(weights)} weights is one of timm's {model.settings.backbone}; give "
            "weights of that network, or set model.backbone"
        )
    fitting: dict[str, Tensor] = {}
    used: set[str] = set()
    for target, backbone in backbones.items():
        own = backbone.state_dict()
        placed = {name: weights[place + name] for name in own if place + name in weights}
        _require_all(list(own), placed, own, path)
        fitting |= {f"{target}.{name}": value for name, value in placed.items()}
        used |= {place + name for name in placed}
        where = f" under {place.removesuffix('.')}" if place else ""
        report.append(f"{target}: {len(placed)} of {len(own)} weights of the file{where}")
    head = model.published_head()
    if head is not None:
        fitting |= _classifier(head, weights, used, report)
    _note_unused(weights.keys() - used, report)
    return fitting


def _classifier(
    head: nn.Linear, weights: dict[str, Tensor], used: set[str], report: list[str]
) -> dict[str, Tensor]:
    """``head``, from the first classifier of the file that has as many classes; and what became of it."""
    wanted = head.weight
    num_features = wanted.shape[1]
    names = [
        name.removesuffix(".weight")
        for name, value in weights.items()
        if name.endswith(".weight")
        and name not in used
        and value.ndim == 2
        and value.shape[1] == num_features
        and name.removesuffix("weight") + "bias" in weights
    ]
    for name in names:
        matrix, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if matrix.shape == wanted.shape:
            report.append(f"head: from {name}")
        elif matrix.shape[0] == 1 and wanted.shape[0] == 2:
            # sigmoid(z) is the softmax of (0, z).
            matrix, bias = (torch.cat([torch.zeros_like(value), value]) for value in (matrix, bias))
            report.append(f"head: from {name}, a single logit of fake; real has the constant 0")
        else:
            continue
        used |= {f"{name}.weight", f"{name}.bias"}
        return {"head.weight": matrix, "head.bias": bias}
    if names:
        report.append(_left("head", weights[f"{names[0]}.weight"], wanted))
    else:
        report.append("head: left as initialised, the file has none")
    return {}


def _require_all(names: list[str], given: dict[str, Tensor], needed: dict[str, Any], path: Path) -> None:
    """Raises CheckpointError for the first weight that is absent or of another shape."""
    for name in names:
        if name not in given:
            if name.endswith(COUNTER):
                continue
            raise CheckpointError(
                f"{path}: has no {name}; it is of another network, or not whole: set model.backbone, or give "
                "another file"
            )
        there, here = tuple(given[name].shape), tuple(needed[name].shape)
        if there != here:
            raise CheckpointError(
                f"{path}: {name} is {there}, the model's is {here}; set model.backbone to the network that "
                "the file is of"
            )


def _note_unused(names: set[str], report: list[str]) -> None:
    if names:
        first = ", ".join(sorted(names)[:4])
        report.append(
            f"{len(names)} weights of the file have no place here: {first}" + " …" * (len(names) > 4)
        )


def _is_classifier(name: str) -> bool:
    return name.split(".")[-2] == "head"


def _left(name: str, given: Tensor, wanted: Tensor | nn.Parameter) -> str:
    shapes = f"{tuple(given.shape)} in the file and {tuple(wanted.shape)} here"
    return f"{name}: left as initialised, it is {shapes}"
