"""Files of weights by others, read without running code from them."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.timm_library import is_published, published_weights
from deepfake_ssat.text import parse_json

HEADER_KEY = "deepfake_ssat"
"""Of the metadata of our own checkpoints."""
PICKLED = (".pt", ".pth", ".bin")
FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")
INERT: list[Any] = [argparse.Namespace, np.dtype, type(np.dtype("float64")), np.float64(0).__reduce__()[0]]
"""What training checkpoints hold beside weights, none of which runs code: command lines, numpy's numbers."""


def weights_file(path: Path) -> Path:
    """The file itself, the weights of a folder in Hugging Face's layout, or ``timm:NAME`` as it is."""
    if is_published(path):
        return path
    for name in FOLDER_FILES:
        if (path / name).is_file():
            return path / name
    if path.is_file():
        return path
    raise CheckpointError(
        f"{path}: no such file; give a .safetensors, {', '.join(PICKLED)} file, a folder that holds "
        "model.safetensors, or timm:NAME"
    )


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Weights by their names in the file, and the header where the file is a checkpoint of ours.

    What is not named .safetensors is taken for a file of torch; a release may have no ending at all.
    ``timm:NAME`` is what timm publishes.
    """
    if is_published(path):
        return published_weights(path), None
    with readable(path):
        if path.suffix != ".safetensors":
            return read_pickled(path), None
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = (file.metadata() or {}).get(HEADER_KEY)
        return weights, parse_json(header) if header else None


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Tensors of a torch file; training checkpoints wrap them in ``model`` or ``state_dict``."""
    with torch.serialization.safe_globals(INERT):
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("model", "module", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__}, not named tensors")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns whatever a damaged or strange file causes inside into one line."""
    try:
        yield
    except (
        SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
    ) as error:
        reason = str(error).strip().splitlines()[:1]
        raise CheckpointError(
            f"{path}: cannot be read as weights ({''.join(reason)}); "
            f"give a whole .safetensors, or a {', '.join(PICKLED)} file that holds tensors only"
        ) from error
