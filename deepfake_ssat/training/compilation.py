"""Compiled blocks: torch.compile of what a ViT's step spends most of its time in."""

from __future__ import annotations

import logging
import os
import shutil

from torch import _dynamo

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.blocks import Block
from deepfake_ssat.models.network import Network

COMPILERS = ("g++", "clang++")
MOST_SHAPES = 512
"""Of one function: blocks differ in width and drop path, batches in size and number of tokens."""


def check_compiler(device: str) -> None:
    """Raises ConfigError where torch.compile would find no C++ compiler, which it needs on a CPU."""
    named = os.environ.get("CXX")
    wanted = (named,) if named else COMPILERS
    if device == "cpu" and not any(shutil.which(name) for name in wanted):
        raise ConfigError(
            f"trainer.compile needs a C++ compiler on a CPU, and finds no {' or '.join(wanted)}: install "
            "one, or set trainer.compile=false"
        )


def compile_blocks(model: Network, backend: str = "inductor") -> None:
    """Has encoder and decoder blocks compiled by a backend of torch.compile, each shape at its first step."""
    # It warns of an unused CUDA toolkit on machines without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    _dynamo.config.recompile_limit = max(_dynamo.config.recompile_limit, MOST_SHAPES)
    for module in model.modules():
        if isinstance(module, Block):
            module.compile(dynamic=False, backend=backend)
