"""What items of every data set share: their type, the epoch, their random streams and their workers."""

from __future__ import annotations

from typing import TypedDict

import cv2
import numpy as np
import torch
from torch import Tensor

from deepfake_ssat.errors import DeepfakeError

CAMERA_STREAM, FORGER_STREAM, CHOICE_STREAM, VIEW_STREAM = 1, 2, 3, 4
"""Random streams of an item beside its first: movement of a still, pseudo-fake, which fakes come, views."""


class _Always(TypedDict):
    pixels: Tensor
    """(T, H, W, C) uint8."""
    label: int
    """-1 where the data has none."""
    video: int
    """Index into the data set's ``videos``."""


class Example(_Always, total=False):
    """One item of any data set here."""

    views: Tensor
    """(2, T, H, W, C) uint8: two other augmentations of the same, for the objectives that compare them."""


class SharedEpoch:
    """The current epoch, seen by worker processes too, those that outlive an epoch included."""

    def __init__(self) -> None:
        self._value = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set(self, epoch: int) -> None:
        """Every later ``get``, in any process, gives this epoch."""
        self._value.fill_(epoch)

    def get(self) -> int:
        """The epoch set last; 0 before."""
        return int(self._value.item())


def item_generator(seed: int, epoch: int, index: int, stream: int = 0) -> np.random.Generator:
    """A random stream of one item in one epoch, whatever process or order it is loaded in.

    Another ``stream`` leaves what is drawn from the first one as it is.
    """
    key = [seed, epoch, index, stream] if stream else [seed, epoch, index]
    return np.random.default_rng(np.random.SeedSequence(key))


def limit_worker_threads(worker_id: int) -> None:
    """For DataLoader's ``worker_init_fn``: one thread a worker.

    Workers times threads would compete for the cores, and some builds of OpenCV hang in forked processes
    while their thread pool is on (opencv/opencv#5150).
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def error_without_worker_traceback(error: DeepfakeError) -> DeepfakeError:
    """The one-line error that a worker raised: DataLoader hands it on with the worker's traceback inside."""
    message = str(error)
    last = message.rstrip().rpartition("\n")[2]
    prefix = f"{type(error).__module__}.{type(error).__qualname__}: "
    if message.startswith("Caught ") and last.startswith(prefix):
        return type(error)(last.removeprefix(prefix))
    return error
