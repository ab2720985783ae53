"""What a loader of weights must keep to when it refuses a file."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from deepfake_ssat.errors import CheckpointError


def refusal(load: Callable[[nn.Module, Path], object], model: nn.Module, path: Path) -> str:
    """The reason, in one line; the model stays as it was."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load(model, path)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return str(caught.value)
