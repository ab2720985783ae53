"""MTCNN's P-, R- and O-net (Zhang et al., 2016) with facenet-pytorch's weights.

The weights ship with this package, because facenet-pytorch asks for torchvision, which binds torch to one
version and build: a CPU build that somebody installed would be replaced. N pictures, h w pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).parent.parent / "weights" / "mtcnn.safetensors"


class ProposalNet(nn.Module):
    """Slides over a picture: (N, 3, h, w) -> corrections (N, 4, h', w'), probabilities (N, 2, h', w')."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections first, as the other two networks have them."""
        values = self.prelu1(self.conv1(pictures))
        values = F.max_pool2d(values, 2, 2, ceil_mode=True)
        values = self.prelu3(self.conv3(self.prelu2(self.conv2(values))))
        return self.conv4_2(values), self.conv4_1(values).softmax(dim=1)


class RefinementNet(nn.Module):
    """Judges crops of 24 pixels: (N, 3, 24, 24) -> box corrections (N, 4) and probabilities (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections and probabilities."""
        values = F.max_pool2d(self.prelu1(self.conv1(crops)), 3, 2, ceil_mode=True)
        values = F.max_pool2d(self.prelu2(self.conv2(values)), 3, 2, ceil_mode=True)
        values = _columns_first(self.prelu3(self.conv3(values)))
        values = self.prelu4(self.dense4(values))
        return self.dense5_2(values), self.dense5_1(values).softmax(dim=1)


class OutputNet(nn.Module):
    """Judges crops of 48 pixels: -> box corrections (N, 4), landmarks (N, 10) and probabilities (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = (nn.Linear(256, size) for size in (2, 4, 10))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Corrections; five x, then five y of landmarks, in parts of the crop; probabilities."""
        values = F.max_pool2d(self.prelu1(self.conv1(crops)), 3, 2, ceil_mode=True)
        values = F.max_pool2d(self.prelu2(self.conv2(values)), 3, 2, ceil_mode=True)
        values = F.max_pool2d(self.prelu3(self.conv3(values)), 2, 2, ceil_mode=True)
        values = _columns_first(self.prelu4(self.conv4(values)))
        values = self.prelu5(self.dense5(values))
        return self.dense6_2(values), self.dense6_3(values), self.dense6_1(values).softmax(dim=1)


def load_networks(device: torch.device) -> tuple[ProposalNet, RefinementNet, OutputNet]:
    """The three networks in evaluation mode."""
    proposal, refinement, output = ProposalNet(), RefinementNet(), OutputNet()
    networks = nn.ModuleDict({"pnet": proposal, "rnet": refinement, "onet": output})
    networks.load_state_dict(load_file(WEIGHTS))
    networks.eval().to(device)
    return proposal, refinement, output


def _columns_first(values: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, w * h * C): the order in which the weights were trained (a Caffe of MATLAB)."""
    return values.permute(0, 3, 2, 1).flatten(1)
