"""A list of labelled pictures, wherever they are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from deepfake_ssat.errors import ConfigError


@dataclass(frozen=True)
class Pictures:
    """One split of a labelled picture set; ``load`` gives the (H, W, C) uint8 pixels at an index."""

    load: Callable[[int], np.ndarray]
    labels: tuple[int, ...]
    """Of each picture, 0 … K−1."""
    names: tuple[str, ...]
    """Of each picture."""
    class_names: tuple[str, ...]
    """Of each label."""
    channels: int

    def with_channels(self, channels: int) -> Pictures:
        """These pictures with as many channels as the model reads; ConfigError where that loses colour."""
        if channels == self.channels:
            return self
        if self.channels != 1:
            raise ConfigError(
                f"pictures have {self.channels} channels and the model reads {channels}; "
                f"set model.channels={self.channels}"
            )
        return replace(self, load=partial(_repeat_grey, self.load, channels), channels=channels)


def pictures_of_arrays(
    images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], name: str
) -> Pictures:
    """Pictures held in memory: (N, H, W, C) uint8 and (N,) int."""
    return Pictures(
        load=partial(_picture, images),
        labels=tuple(labels.tolist()),
        names=tuple(f"{name}/{index}" for index in range(len(labels))),
        class_names=class_names,
        channels=images.shape[-1],
    )


def _picture(images: np.ndarray, index: int) -> np.ndarray:
    return images[index]


def _repeat_grey(load: Callable[[int], np.ndarray], channels: int, index: int) -> np.ndarray:
    return np.repeat(load(index), channels, axis=-1)
