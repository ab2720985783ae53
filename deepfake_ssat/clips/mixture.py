"""Several sources of face clips as one data set: mixed by weight to train on, joined to validate on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from torch.utils.data import Dataset

from deepfake_ssat.clips.aligned import AlignedPairs
from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.items import Example, SharedEpoch
from deepfake_ssat.clips.sampling import epoch_order
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.records import Box


@dataclass(frozen=True)
class WeightedSource:
    """One source of a mixture."""

    name: str
    examples: FaceClipDataset | AlignedPairs
    weight: float
    balanced: bool = False


class _Stream:
    """A source's items one after the other, epoch after epoch of its own, however many a mixture takes."""

    def __init__(self, source: WeightedSource, quota: int, seed: int) -> None:
        self.examples, self.quota, self._seed = source.examples, quota, seed
        self._balanced = source.balanced
        self.is_paired = self.examples.is_paired and not source.balanced
        # An odd item would part all pairs after it; other epochs leave out others.
        self._length = len(self.examples) // 2 * 2 if self.is_paired else len(self.examples)
        self._orders: dict[int, np.ndarray] = {}
        """Of the epochs asked for last: a mixture's epoch may reach over two."""

    def at(self, position: int) -> tuple[int, int]:
        """Item and epoch of the source at a position of its stream."""
        epoch, place = divmod(position, self._length)
        if epoch not in self._orders:
            pairs = self.examples.pairs(epoch) if self.is_paired else None
            order = epoch_order(self.examples.labels, self._seed, epoch, self._balanced, pairs)
            self._orders = {**dict(list(self._orders.items())[-1:]), epoch: order}
        return int(self._orders[epoch][place]), epoch


class MixedClips(Dataset[Example]):
    """So many items an epoch, of each source as many as its weight says, to within two.

    Item k of an epoch belongs to the same source in every epoch, and shows what is next in that source:
    nothing comes again before its source is through, and then under other draws. All depends on (seed, epoch,
    index) only. Pairs of a source are items that follow each other.
    """

    def __init__(self, sources: Sequence[WeightedSource], items_per_epoch: int | None, seed: int) -> None:
        quotas = _quotas(sources, items_per_epoch or sum(len(source.examples) for source in sources))
        self._streams = [
            _Stream(source, quota, _own_seed(seed, number))
            for number, (source, quota) in enumerate(zip(sources, quotas, strict=True))
        ]
        self.quotas = dict(zip((source.name for source in sources), quotas, strict=True))
        """Items of an epoch, by source."""
        self._ends = list(accumulate(quotas))
        self._first_videos = _starts([len(source.examples.videos) for source in sources])
        self._epoch = SharedEpoch()
        self.is_paired = any(stream.is_paired for stream in self._streams)
        self.videos: list[str] = [
            f"{source.name}: {video}" for source in sources for video in source.examples.videos
        ]
        self.labels: list[int] = [self._label(index) for index in range(len(self))]
        """Of the items of the first epoch; the classes' parts are nearly the same in all."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch that the items show."""
        self._epoch.set(epoch)

    def pairs(self, epoch: int) -> list[tuple[int, int]]:
        """The items that stay together, the same in every epoch."""
        return [
            (index, index + 1)
            for stream, end in zip(self._streams, self._ends, strict=True)
            if stream.is_paired
            for index in range(end - stream.quota, end, 2)
        ]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Example:
        number, item, epoch = self._find(index, self._epoch.get())
        example = self._streams[number].examples.example(item, epoch)
        return {**example, "video": example["video"] + self._first_videos[number]}

    def _find(self, index: int, epoch: int) -> tuple[int, int, int]:
        """Source, its item and its own epoch."""
        number = bisect_right(self._ends, index)
        stream = self._streams[number]
        place = index - (self._ends[number] - stream.quota)
        return number, *stream.at(epoch * stream.quota + place)

    def _label(self, index: int) -> int:
        number, item, _ = self._find(index, 0)
        return self._streams[number].examples.labels[item]


class JoinedClips(Dataset[Example]):
    """All items of several validation sets, one after the other."""

    def __init__(self, parts: Sequence[FaceClipDataset]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))
        self._first_videos = _starts([len(part.videos) for part in parts])
        self.videos: list[str] = [video for part in parts for video in part.videos]
        twice = next((video for video, times in Counter(self.videos).items() if times > 1), None)
        if twice is not None:
            raise ManifestError(
                f"video {twice} validates in two sources; set validates of one of them to false"
            )
        self.labels: list[int] = [label for part in parts for label in part.labels]
        self.tracks: list[int] = [track for part in parts for track in part.tracks]
        self.boxes: list[Box] = [box for part in parts for box in part.boxes]
        self.item_videos: list[int] = [
            first + video
            for first, part in zip(self._first_videos, parts, strict=True)
            for video in part.item_videos
        ]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Example:
        number = bisect_right(self._ends, index)
        part = self._parts[number]
        example = part[index - self._ends[number] + len(part)]
        return {**example, "video": example["video"] + self._first_videos[number]}


def _quotas(sources: Sequence[WeightedSource], items: int) -> list[int]:
    """Even numbers of items, by weight; the largest source takes what rounding leaves."""
    total = sum(source.weight for source in sources)
    quotas = [2 * round(items * source.weight / total / 2) for source in sources]
    largest = max(range(len(sources)), key=lambda number: sources[number].weight)
    quotas[largest] += items // 2 * 2 - sum(quotas)
    if min(quotas) < 2:
        poorest = sources[quotas.index(min(quotas))]
        raise ConfigError(
            f"data.sources.{poorest.name} gets none of {items} items by its weight {poorest.weight:g} of "
            f"{total:g}; raise it, or data.items_per_epoch"
        )
    return quotas


def _own_seed(seed: int, number: int) -> int:
    """Another seed for each source, lest all draw alike."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)][:-1]
