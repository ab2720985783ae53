"""All networks, by the ``kind`` of their settings: how each is built, and what it can start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.config.baselines import (
    CrossEfficientVitSettings,
    FrameClassifierSettings,
    NetworkSettings,
)
from deepfake_ssat.config.hierarchical import CvtSettings, SwinSettings
from deepfake_ssat.config.light_cnn import LightCnnSettings
from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.models.baselines.cross_efficient_vit import CrossEfficientVit
from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
from deepfake_ssat.models.baselines.initial import load_backbone_weights, load_own_weights
from deepfake_ssat.models.cvt import Cvt, load_cvt_weights
from deepfake_ssat.models.light_cnn import LightCnn
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.pretrained import load_initial_weights
from deepfake_ssat.models.swin import Swin, load_swin_weights


@dataclass(frozen=True)
class Kind:
    """One family of networks."""

    settings: type[NetworkSettings]
    network: type[Network]
    """Called with the settings it has random weights."""
    load_weights: Callable[[Any, Path], list[str]]
    """Copies what fits out of a file into the network, and returns lines for a user to read."""


KINDS: dict[str, Kind] = {
    "masked_autoencoder": Kind(ModelSettings, MaskedAutoencoder, load_initial_weights),
    "frame_classifier": Kind(FrameClassifierSettings, FrameClassifier, load_backbone_weights),
    "swin": Kind(SwinSettings, Swin, load_swin_weights),
    "cvt": Kind(CvtSettings, Cvt, load_cvt_weights),
    "cross_efficient_vit": Kind(CrossEfficientVitSettings, CrossEfficientVit, load_backbone_weights),
    "light_cnn": Kind(LightCnnSettings, LightCnn, load_own_weights),
}


def build_network(settings: NetworkSettings) -> Network:
    """A new network with random weights; raises ConfigError where its backbone cannot be built."""
    return KINDS[settings.kind].network(settings)


def load_initial(network: Network, path: Path) -> list[str]:
    """Starts a network from a file; returns what was done, and raises CheckpointError where nothing fits."""
    return KINDS[network.settings.kind].load_weights(network, path)
