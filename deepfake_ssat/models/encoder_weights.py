"""Starts a hierarchical encoder from weights by others or of ours, and tells what was done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.weight_files import read_weights, weights_file

WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""Of names in training checkpoints: DataParallel's and torch.compile's."""
REST = ("head_norm", "head", "decoder")
"""Parts of such a network beside its encoder."""

Names = Callable[[dict[str, Tensor], list[str]], dict[str, Tensor]]
"""Weights by a release's names or ours, and a report to add to -> weights by ours, in the model's sizes."""


def load_encoder_weights(model: Network, path: Path, our_weights: Names) -> list[str]:
    """Copies into the model what fits it, and returns one line for each thing that a user should know.

    The encoder is started whole, or CheckpointError is raised; a head for other classes, and a decoder of
    another size or none, stay as initialised.
    """
    path = weights_file(path)
    raw, header = read_weights(path)
    kind = model.settings.kind
    if header is not None and header.get("kind") != kind:
        raise CheckpointError(
            f"{path}: holds a model of kind {header.get('kind')}, the configuration's is {kind}"
        )
    report: list[str] = []
    weights = our_weights({WRAPPERS.sub("", name): value for name, value in raw.items()}, report)
    needed = model.state_dict()
    encoder = [name for name in needed if name.startswith("encoder.")]
    if not any(name in weights for name in encoder):
        raise CheckpointError(
            f"{path}: none of its {len(raw)} weights is one of model.kind {kind}; give others"
        )
    for name in encoder:
        given = tuple(weights[name].shape) if name in weights else "absent"
        if given != tuple(needed[name].shape):
            raise CheckpointError(
                f"{path}: {name} is {given}, the model's is {tuple(needed[name].shape)}; give the model the "
                "file's sizes, or another file"
            )
    fitting = {name: weights[name] for name in encoder}
    for part in REST:
        names = [name for name in needed if name.startswith(f"{part}.")]
        wrong = [name for name in names if name in weights and weights[name].shape != needed[name].shape]
        if wrong:
            given, wanted = tuple(weights[wrong[0]].shape), tuple(needed[wrong[0]].shape)
            report.append(f"{part}: left as initialised, {wrong[0]} is {given} in the file and {wanted} here")
        elif all(name in weights for name in names):
            fitting |= {name: weights[name] for name in names}
        else:
            report.append(f"{part}: left as initialised, the file has no complete one")
    model.load_state_dict(fitting, strict=False)
    return [f"{len(fitting)} of {len(needed)} weights come from {path}", *report]
