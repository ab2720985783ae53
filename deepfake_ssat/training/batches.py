"""Which items every process sees in which batch of which epoch: a function of the settings alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from deepfake_ssat.clips.sampling import epoch_order
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training.processes import Processes


class EpochBatches(Sampler[list[int]]):
    """Batches of item indices, in an order drawn from (seed, epoch).

    The items that follow each other in that order are the processes' first batches, then their second ones:
    what was shown of an epoch is the beginning of its order, whatever the number of processes. Each gets the
    same number of batches. Items that fill no whole batch of all processes are left out of an epoch, as in
    MAE's recipe (another epoch leaves out others), unless they are all there are.

    ``pairs`` gives an epoch's genuine items with the fakes made of them: both come next to each other and,
    where the batch size is even, in one batch, so that what is not the manipulation cancels in its gradient.
    Balanced sampling draws them singly.
    """

    def __init__(
        self,
        labels: Sequence[int],
        batch_size: int,
        seed: int,
        balanced: bool,
        processes: Processes,
        pairs: Callable[[int], Sequence[tuple[int, int]]] | None = None,
    ) -> None:
        self._labels = labels
        self._pairs = None if balanced else pairs
        self._seed = seed
        self._balanced = balanced
        self._processes = processes
        self._batch_size = batch_size
        self._num_batches = max(len(labels) // (batch_size * processes.count), 1)
        self._epoch = 0
        self._first_batch = 0

    def start(self, epoch: int, first_batch: int = 0) -> None:
        """What the next iteration shows: an epoch from its start, or from where a killed run was in it."""
        self._epoch, self._first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return self._num_batches

    def __iter__(self) -> Iterator[list[int]]:
        order, count, rank = self._order(), self._processes.count, self._processes.rank
        shown = self._num_batches * count * self._batch_size
        if shown > len(order):
            # One batch of all there is; with fewer items than processes some are shown twice.
            own = np.array_split(np.resize(order, max(len(order), count)), count)[rank][None]
        else:
            own = order[:shown].reshape(self._num_batches, count, self._batch_size)[:, rank]
        return iter(own[self._first_batch :].tolist())

    def _order(self) -> np.ndarray:
        pairs = None if self._pairs is None else self._pairs(self._epoch)
        return epoch_order(self._labels, self._seed, self._epoch, self._balanced, pairs)


def own_share(num_items: int, processes: Processes) -> range:
    """The items that this process validates: each item once over all processes."""
    return range(processes.rank, num_items, processes.count)


def validation_batches(num_items: int, batch_size: int, processes: Processes) -> list[list[int]]:
    """This process's share in as many batches as each other process has: sharded weights meet in each.

    Raises ConfigError where there are fewer items than processes.
    """
    least = num_items // processes.count
    if not least:
        raise ConfigError(
            f"{processes.count} processes cannot share {num_items} validation items; start fewer"
        )
    most = math.ceil(num_items / processes.count)
    # In batches of one, who has an item more than others shows two at once.
    count = min(math.ceil(most / batch_size), least)
    return [batch.tolist() for batch in np.array_split(own_share(num_items, processes), count)]
