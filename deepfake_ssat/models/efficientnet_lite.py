"""EfficientNet-Lite's convolutional features, a stem for hybrid ViTs and a light frame classifier's trunk.

EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6: its Lite variant, made for
ordinary processors. B pictures, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config.model import STEM_CHANNELS

FIRST_CHANNELS = 32
BN_EPS = 1e-3
PICTURES_AT_A_TIME = 8
"""On a CPU, where no gradient will ask for their features."""
STAGES = (
    # expansion, channels, blocks, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, STEM_CHANNELS, 1, 1, 3),
)
"""Lite0's."""


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does ("same"): the odd column and row of padding come last."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(input, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        rows, columns = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in input.shape[-2:]
        )
        padded = F.pad(input, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class Conv(nn.Sequential):
    """Convolution with bias and, if wanted, ReLU6; the published batch norm is folded into it."""

    def __init__(
        self, channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ):
        super().__init__(
            SameConv(channels_in, channels, kernel, stride, groups=groups),
            *([nn.ReLU6(inplace=True)] if act else []),
        )


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; with a shortcut where the shape stays."""

    def __init__(self, channels_in: int, channels: int, expansion: int, stride: int, kernel: int):
        super().__init__()
        wide = channels_in * expansion
        self.has_shortcut = stride == 1 and channels_in == channels
        self.layers = nn.Sequential(
            *([Conv(channels_in, wide, 1)] if expansion > 1 else []),
            Conv(wide, wide, kernel, stride, groups=wide),
            Conv(wide, channels, 1, act=False),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        features = self.layers(pictures)
        return pictures + features if self.has_shortcut else features


class EfficientNetLite(nn.Module):
    """Pictures in [-1, 1] -> features, one cell for each 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, FIRST_CHANNELS, 3, 2)
        blocks: list[InvertedResidual] = []
        channels_in = FIRST_CHANNELS
        for expansion, channels, repeats, stride, kernel in STAGES:
            for index in range(repeats):
                blocks.append(
                    InvertedResidual(channels_in, channels, expansion, stride if index == 0 else 1, kernel)
                )
                channels_in = channels
        self.blocks = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                # Without norms the initialisation alone keeps the signal's size.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 320, H / 32, W / 32)."""
        whole = torch.is_grad_enabled() or torch.compiler.is_compiling()
        if whole or pictures.device.type != "cpu":
            return self.blocks(self.stem(pictures))
        # The widest features of a clip's 16 frames are 75 MB larger, and no sooner there.
        return torch.cat([self.blocks(self.stem(few)) for few in pictures.split(PICTURES_AT_A_TIME)])

    def freeze(self, blocks: int) -> None:
        """Takes the first convolution and so many blocks out of training, so that no gradient enters them."""
        for layer in (self.stem, *self.blocks[:blocks]):
            layer.requires_grad_(False)


def folded_weights(published: Mapping[str, Tensor], net: EfficientNetLite) -> dict[str, Tensor]:
    """Weights by the names of the published PyTorch release of EfficientNet-Lite -> those of ``net``.

    Each norm's scale and shift are folded into its convolution; head and classifier are left out. Raises
    ValueError naming the first weight that is missing or has another shape.
    """
    own, folded = net.state_dict(), {}
    for name, convolution, norm in _published_names(net):
        parts = [f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        names = [f"{convolution}.weight", *parts]
        missing = [published_name for published_name in names if published_name not in published]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        weight, scale, shift, mean, variance = (published[name].float() for name in names)
        if weight.shape != own[f"{name}.weight"].shape:
            raise ValueError(f"{names[0]} is {tuple(weight.shape)}, not {tuple(own[f'{name}.weight'].shape)}")
        gain = scale / torch.sqrt(variance + BN_EPS)
        folded[f"{name}.weight"] = weight * gain[:, None, None, None]
        folded[f"{name}.bias"] = shift - mean * gain
    return folded


def _published_names(net: EfficientNetLite) -> Iterator[tuple[str, str, str]]:
    """Our name of each convolution, and the release's of it and of its norm."""
    yield "stem.0", "_conv_stem", "_bn0"
    for index, block in enumerate(net.blocks):
        steps = ["_expand_conv", "_depthwise_conv", "_project_conv"]
        norms = ["_bn0", "_bn1", "_bn2"]
        assert isinstance(block, InvertedResidual)
        skipped = 3 - len(block.layers)
        for layer, (step, norm) in enumerate(zip(steps[skipped:], norms[skipped:], strict=True)):
            yield f"blocks.{index}.layers.{layer}.0", f"_blocks.{index}.{step}", f"_blocks.{index}.{norm}"
