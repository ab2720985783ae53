"""Aligned pairs: a genuine face and a fake that was made of it, the same frames under one augmentation.

T frames, H W pixels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch.utils.data import Dataset

from deepfake_ssat.clips.augment import ClipAugmentation, MakeViews
from deepfake_ssat.clips.items import CHOICE_STREAM, VIEW_STREAM, Example, SharedEpoch, item_generator
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import FAKE, REAL, ManifestRow, longer_side

SAME_FACE = 0.5
"""Mean boxes whose centres are nearer than so many face sizes are of one face in two versions of a video."""


@dataclass(frozen=True)
class _Part:
    """A square of a crop, in sides of the crop."""

    left: float
    top: float
    side: float

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """(T, H, W, C) -> the square, by whole pixels: nothing is resampled twice."""
        height, width = pixels.shape[1:3]
        top, left = round(self.top * height), round(self.left * width)
        down, across = (max(round(self.side * length), 1) for length in (height, width))
        return pixels[:, top : top + down, left : left + across]


@dataclass(frozen=True)
class _Stretch:
    """Frames that a genuine row and a row of its fake share."""

    real: ManifestRow
    fake: ManifestRow
    real_start: int
    """The first shared frame, counted in the row's file."""
    fake_start: int
    num_frames: int


@dataclass(frozen=True)
class PairCount:
    """What of a selection is shown in pairs, and what is not, in faces."""

    genuine: int
    fakes: int
    genuine_alone: int
    fakes_alone: int

    def __str__(self) -> str:
        return (
            f"{self.genuine} genuine faces, each beside one of {self.fakes} aligned fakes; without a "
            f"partner, and not trained on: {self.genuine_alone} genuine faces, {self.fakes_alone} fakes"
        )


class AlignedPairs(Dataset[Example]):
    """For training: each genuine face that has aligned fakes, and as the second half of the items its fakes.

    Every epoch draws, for each genuine item, one of its fakes and ``frames`` frames that both show; both get
    the same augmentation. The draws depend on (seed, epoch, index) only. Since faces are found in each video
    for itself, both crops are cut down to what both show of the frame. A fake is a face's partner where its
    row names the face's video as its original, aligned with it, and both have frames of the same numbers and
    (unless they are crops that came as they are) a face in the same place.
    """

    is_paired = True

    def __init__(
        self,
        manifest: Manifest,
        rows: Sequence[ManifestRow],
        frames: int,
        image_size: int,
        clips_per_face: int,
        augmentation: ClipAugmentation | None,
        seed: int,
        part: float = 1.0,
        views: MakeViews | None = None,
    ) -> None:
        """``part`` of the stored clips' sides is shown, their centre."""
        self._root = manifest.root
        self._frames = frames
        self._image_size = image_size
        self._augmentation = augmentation
        self._seed = seed
        self._part = part
        self._views = views
        self._epoch = SharedEpoch()
        contract = manifest.contract
        self._margin = None if contract.already_cut else contract.margin
        partners, self.count = _find_partners(rows, frames, places_count=not contract.already_cut)
        if not partners:
            raise ManifestError(
                f"{manifest.root}: none of {self.count.fakes_alone} fakes is aligned with one of "
                f"{self.count.genuine_alone} genuine faces over {frames} frames; run preprocess again (on a "
                "corpus that tells originals), or set pairs to none"
            )
        self._partners = [fakes for fakes in partners for _ in range(clips_per_face)]
        self.labels: list[int] = [REAL] * len(self._partners) + [FAKE] * len(self._partners)
        self.videos: list[str] = list(
            dict.fromkeys(_name(row) for fakes in partners for row in _rows_of(fakes))
        )
        self._positions = {name: position for position, name in enumerate(self.videos)}

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose fakes, windows and augmentations the items show."""
        self._epoch.set(epoch)

    def pairs(self, epoch: int) -> list[tuple[int, int]]:
        """The two items of each pair, the same in every epoch: (genuine, fake)."""
        count = len(self._partners)
        return list(zip(range(count), range(count, 2 * count), strict=True))

    def __len__(self) -> int:
        return 2 * len(self._partners)

    def __getitem__(self, index: int) -> Example:
        return self.example(index, self._epoch.get())

    def example(self, index: int, epoch: int) -> Example:
        """An item as an epoch shows it."""
        is_fake, pair = divmod(index, len(self._partners))
        generator = item_generator(self._seed, epoch, pair)
        stretch, start = self._window(pair, epoch, generator)
        row, first = (stretch.fake, stretch.fake_start) if is_fake else (stretch.real, stretch.real_start)
        shown = range(first + start, first + start + self._frames)
        pixels = read_frames(self._root / row.clip_file, shown)
        whole = pixels = self._framing(stretch)[is_fake].cut(pixels)
        if self._augmentation is not None:
            pixels = self._augmentation(pixels, generator)
        pixels = resize_clip(pixels, self._image_size)
        item: Example = {
            "pixels": torch.from_numpy(np.ascontiguousarray(pixels)),
            "label": FAKE if is_fake else REAL,
            "video": self._positions[_name(row)],
        }
        if self._views is not None:
            item["views"] = self._views(whole, item_generator(self._seed, epoch, index, VIEW_STREAM))
        return item

    def _framing(self, stretch: _Stretch) -> tuple[_Part, _Part]:
        """Of the genuine and of the fake crop; crops that came as they are, are aligned as they came."""
        if self._margin is None:
            middle = _Part((1 - self._part) / 2, (1 - self._part) / 2, self._part)
            return middle, middle
        return _common_parts(stretch.real, stretch.fake, self._margin, self._part)

    def _window(self, pair: int, epoch: int, generator: np.random.Generator) -> tuple[_Stretch, int]:
        """A stretch of the epoch's fake and the window's place in it; every window is drawn equally often."""
        fakes = self._partners[pair]
        stretches = fakes[item_generator(self._seed, epoch, pair, CHOICE_STREAM).integers(len(fakes))]
        ends = list(accumulate(stretch.num_frames - self._frames + 1 for stretch in stretches))
        drawn = int(generator.integers(ends[-1]))
        number = bisect_right(ends, drawn)
        return stretches[number], drawn - (ends[number - 1] if number else 0)


def _common_parts(real: ManifestRow, fake: ManifestRow, margin: float, part: float) -> tuple[_Part, _Part]:
    """What both crops show of the frame, as near to the part of each as there is room for."""
    corners, sides = [], []
    for row in (real, fake):
        x0, y0, x1, y1 = row.box
        sides.append(longer_side(row.box) * (1.0 + margin))
        corners.append(np.array([x0 + x1, y0 + y1]) / 2 - sides[-1] / 2)
    low = np.maximum(*corners)
    high = np.minimum(corners[0] + sides[0], corners[1] + sides[1])
    side = min(part * min(sides), float((high - low).min()))
    middle = (corners[0] + corners[1] + (sides[0] + sides[1]) / 2) / 2
    corner = np.clip(middle - side / 2, low, high - side)
    parts = ((corner - own) / length for own, length in zip(corners, sides, strict=True))
    real_part, fake_part = (
        _Part(float(left), float(top), side / length)
        for (left, top), length in zip(parts, sides, strict=True)
    )
    return real_part, fake_part


def _find_partners(
    rows: Sequence[ManifestRow], frames: int, places_count: bool
) -> tuple[list[list[list[_Stretch]]], PairCount]:
    """For each genuine face with partners: for each of its fakes the stretches that both show."""
    faces: dict[tuple[str, str, int], list[ManifestRow]] = defaultdict(list)
    for row in rows:
        faces[row.corpus, row.video_id, row.track_id].append(row)
    fakes_of: dict[tuple[str, str], list[list[ManifestRow]]] = defaultdict(list)
    for (corpus, _, _), own in faces.items():
        if own[0].label == FAKE and own[0].is_aligned:
            fakes_of[corpus, own[0].original].append(own)
    num_fakes = sum(own[0].label == FAKE for own in faces.values())
    partners: list[list[list[_Stretch]]] = []
    paired: set[tuple[str, str, int]] = set()
    for (corpus, video, _), own in faces.items():
        if own[0].label != REAL:
            continue
        stretches = []
        for fake in fakes_of[corpus, video]:
            if shared := list(_shared(own, fake, frames, places_count)):
                stretches.append(shared)
                paired.add((corpus, fake[0].video_id, fake[0].track_id))
        if stretches:
            partners.append(stretches)
    num_real = len(faces) - num_fakes
    count = PairCount(len(partners), len(paired), num_real - len(partners), num_fakes - len(paired))
    return partners, count


def _shared(
    real: Iterable[ManifestRow], fake: Iterable[ManifestRow], frames: int, places_count: bool
) -> Iterable[_Stretch]:
    """The stretches of two faces, long enough for a clip, that lie at the same frame numbers."""
    for one in real:
        for other in fake:
            stride = one.frame_stride
            offset = other.first_frame - one.first_frame
            if other.frame_stride != stride or offset % stride or (places_count and not _is_same(one, other)):
                continue
            start = max(offset // stride, 0)
            end = min(one.num_frames, offset // stride + other.num_frames)
            if end - start >= frames:
                yield _Stretch(one, other, start, start - offset // stride, end - start)


def _is_same(one: ManifestRow, other: ManifestRow) -> bool:
    centres = (np.array([box[0] + box[2], box[1] + box[3]]) / 2 for box in (one.box, other.box))
    return float(np.linalg.norm(np.subtract(*centres))) < SAME_FACE * min(one.face_size, other.face_size)


def _rows_of(fakes: Iterable[Iterable[_Stretch]]) -> Iterable[ManifestRow]:
    for stretches in fakes:
        for stretch in stretches:
            yield from (stretch.real, stretch.fake)


def _name(row: ManifestRow) -> str:
    return f"{row.corpus}/{row.video_id}"
