"""A list of labelled pictures, wherever they are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from deepfake_ssat.errors import ConfigError, CorpusError

HELD_OUT_SEED = 0
"""Which pictures validate is the same in every experiment."""


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

    def at(self, indices: np.ndarray) -> Pictures:
        """Those at some indices, in their order."""
        return replace(
            self,
            load=partial(_chosen, self.load, indices),
            labels=tuple(self.labels[index] for index in indices),
            names=tuple(self.names[index] for index in indices),
        )

    def joined(self, other: Pictures) -> Pictures:
        """These, then the others of the same set."""
        return replace(
            self,
            load=partial(_of_either, self.load, other.load, len(self.labels)),
            labels=self.labels + other.labels,
            names=self.names + other.names,
        )

    def part(self, fraction: float, seed: int) -> Pictures:
        """So many of each class, one at least; a smaller part lies within a larger one."""
        return self.at(self._drawn(fraction, seed))

    def held_out(self, fraction: float, split: str) -> Pictures:
        """For a set without validation pictures: that part of each class as val, the others as train."""
        taken = self._drawn(fraction, HELD_OUT_SEED)
        return self.at(taken if split == "val" else np.setdiff1d(np.arange(len(self.labels)), taken))

    def _drawn(self, fraction: float, seed: int) -> np.ndarray:
        labels, chosen = np.array(self.labels), []
        for label in np.unique(labels):
            its = np.flatnonzero(labels == label)
            order = np.random.default_rng([seed, int(label)]).permutation(its)
            chosen.append(order[: max(1, round(fraction * len(its)))])
        return np.sort(np.concatenate(chosen))


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


def pictures_of_files(
    files: Sequence[tuple[Path, int]], class_names: tuple[str, ...], root: Path
) -> Pictures:
    """Files with their labels, pictures of any size below a folder, read one at a time, as RGB."""
    paths = tuple(path for path, _ in files)
    return Pictures(
        load=partial(_read_file, paths),
        labels=tuple(label for _, label in files),
        names=tuple(path.relative_to(root).as_posix() for path in paths),
        class_names=class_names,
        channels=3,
    )


def _read_file(paths: tuple[Path, ...], index: int) -> np.ndarray:
    """(H, W, 3) uint8, turned as its camera tag says; raises CorpusError naming a damaged file."""
    try:
        with Image.open(paths[index]) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise CorpusError(f"{paths[index]}: cannot be read ({error}); repair or remove it") from error


def _of_either(
    load: Callable[[int], np.ndarray], load_other: Callable[[int], np.ndarray], count: int, index: int
) -> np.ndarray:
    return load(index) if index < count else load_other(index - count)


def _chosen(load: Callable[[int], np.ndarray], indices: np.ndarray, index: int) -> np.ndarray:
    return load(int(indices[index]))


def _picture(images: np.ndarray, index: int) -> np.ndarray:
    return images[index]


def _repeat_grey(load: Callable[[int], np.ndarray], channels: int, index: int) -> np.ndarray:
    return np.repeat(load(index), channels, axis=-1)
