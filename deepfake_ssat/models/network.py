"""What every network answers: its logits, what they rest on, its layers, and which parts only training needs.

B batch, C channels, T frames, H W pixels, N tokens, M hidden ones, P values of a patch, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor, nn

from deepfake_ssat.config.baselines import NetworkSettings
from deepfake_ssat.config.hierarchical import PatchSettings


class Network(nn.Module, ABC):
    """Clips, normalised by ``pixels.py``, in; logits out. ``kinds.py`` lists all of them."""

    settings: NetworkSettings
    decoder_prefix: ClassVar[str | None] = None
    """Begins the names of the weights that only reconstruction needs, and that ``drop_decoder`` removes."""

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, K): the same as ``classify``."""
        return self.classify(clips)

    @abstractmethod
    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, K)."""

    @abstractmethod
    def evidence_map(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, t, h, w) >= 0: where it finds evidence of fake, over a grid of its own."""

    @abstractmethod
    def layer_numbers(self) -> dict[str, int]:
        """By name of a parameter, its layer, counted from the pixels; what is behind all of them is left out.

        Layer decay lowers the rates of the first ones.
        """

    def self_test_logits(self, clips: Tensor) -> Tensor:
        """(1, C, T, H, W) -> (1, K): any cheap function of all weights that ``classify`` reads."""
        return self.classify(clips)

    def unreached(self, *, classifies: bool, reconstructs: bool) -> tuple[str, ...]:
        """Beginnings of the names of parameters that get no gradient of an objective that does only this."""
        return ()

    def convolutional_stem(self) -> nn.Module | None:
        """What ``optimizer.freeze_stem`` takes out of training; None where there is none."""
        return None

    def autoencoder(self) -> Autoencoder | None:
        """This network where it can reconstruct; None without a decoder."""
        return None

    def drop_decoder(self) -> None:
        """Removes what only reconstruction needs; nothing where there is no decoder."""


@dataclass(frozen=True)
class FeatureMaps:
    """What a network computed of clips on its way to their logits, over grids of tokens."""

    blocks: tuple[Tensor, ...]
    """(B, D, t, h, w) behind each block or stage."""
    final: Tensor
    """(B, D, t, h, w): what the classifier pools."""


class FeatureNetwork(Protocol):
    """A network whose features other tasks than classification and reconstruction can read."""

    settings: NetworkSettings

    @property
    def feature_width(self) -> int:
        """D, of the features that the classifier reads."""
        ...

    def features(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, D): what the classifier reads."""
        ...

    def classify_with_maps(self, clips: Tensor) -> tuple[Tensor, FeatureMaps]:
        """(B, C, T, H, W) -> the logits (B, K) of ``classify``, and what led to them."""
        ...


class Autoencoder(Protocol):
    """A network that also predicts hidden patches from the visible ones, on its settings' grid of patches."""

    settings: PatchSettings

    def classify(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> logits (B, K), from all tokens."""
        ...

    def reconstruct(self, clips: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, N) bool, True is hidden -> (B, M, P): hidden patches in ascending order."""
        ...

    def classify_and_reconstruct(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K), predictions (B, M, P): both from one pass over what is visible."""
        ...
