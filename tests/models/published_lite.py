"""A file of EfficientNet-Lite0 as published, in names and shapes."""

import torch
from torch import Tensor

from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, _published_names


def published_lite(seed: int = 0) -> dict[str, Tensor]:
    """Random weights, and norms that do something, under the names of the release."""
    torch.manual_seed(seed)
    net = EfficientNetLite()
    own, weights = net.state_dict(), {}
    for name, convolution, norm in _published_names(net):
        weight = own[f"{name}.weight"]
        weights[f"{convolution}.weight"] = weight
        for part in ("weight", "running_var"):
            weights[f"{norm}.{part}"] = torch.rand(len(weight)) + 0.5
        for part in ("bias", "running_mean"):
            weights[f"{norm}.{part}"] = torch.randn(len(weight)) / 10
    return weights
