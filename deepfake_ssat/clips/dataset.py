"""Face clips, or single face frames, as a torch data set over manifest rows.

T frames, H W pixels, C channels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from deepfake_ssat.clips.augment import ClipAugmentation, MakeViews
from deepfake_ssat.clips.forging import FaceFrames, Forger, read_face
from deepfake_ssat.clips.items import (
    CAMERA_STREAM,
    CHOICE_STREAM,
    FORGER_STREAM,
    VIEW_STREAM,
    Example,
    SharedEpoch,
    item_generator,
)
from deepfake_ssat.clips.resize import cut_down, resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.config import PseudoFakes
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import FAKE, REAL, Box, ManifestRow

STAND_INS = 20
"""Faces tried in place of one that no manipulation shows on."""


@dataclass(frozen=True)
class _Item:
    """One window of a face, whose stored frames may be in several rows: a gap starts another one."""

    rows: tuple[int, ...]
    start: int | None = None
    """First stored frame of the only row; None: row and frame are drawn anew every epoch."""


class FaceClipDataset(Dataset[Example]):
    """Windows of consecutive stored frames, and pseudo-fakes of the genuine ones.

    Training: ``clips_per_face`` random windows of each face (a track of a video, in however many rows) and
    epoch, augmented; the draw depends on (seed, epoch, index) only. Otherwise: up to ``clips_per_face`` fixed
    windows spread evenly over each face, no more than cover it once. A still picture, a row of one frame, is
    shown moving. A damaged clip file raises ManifestError naming it when its item is asked for.

    The pseudo-fakes are the last items. Each shows the frames of a genuine item, under the same augmentation;
    in validation all windows of a face are manipulated by one draw, as a manipulated video would be.

    With ``views`` an item has two more versions of its frames, the same every time in validation.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: Sequence[ManifestRow],
        frames: int,
        image_size: int,
        clips_per_face: int,
        augmentation: ClipAugmentation | None,
        seed: int,
        training: bool,
        pseudo_fakes: PseudoFakes | None = None,
        views: MakeViews | None = None,
        part: float = 1.0,
    ) -> None:
        """``part`` of the stored clips' sides is shown, their centre."""
        _require_frames(rows, frames)
        self._root = manifest.root
        self._rows = tuple(rows)
        self._frames = frames
        self._image_size = image_size
        self._training = training
        self._augmentation = augmentation if training else None
        self._views = views
        self._seed = seed
        self._part = part
        self._epoch = SharedEpoch()
        faces = _faces(rows)
        self._face_of_row = {row: face[0] for face in faces for row in face}
        """Row to the first row of the same face."""
        self._items = [item for face in faces for item in self._windows_of(face, clips_per_face)]
        self._genuine = [i for i in range(len(self._items)) if self._first_row(i).label == REAL]
        self._num_fakes = 0
        self._chosen: tuple[int, list[int]] = (-1, [])
        """The last epoch asked for, and what ``_sources`` drew for it."""
        self._forger: Forger | None = None
        if pseudo_fakes is not None:
            self._set_up_forger(pseudo_fakes)
        names = [f"{row.corpus}/{row.video_id}" for row in rows]
        forged = [
            f"{name} (pseudo-fake)"
            for name, row in zip(names, rows, strict=True)
            if self._num_fakes and row.label == REAL
        ]
        self.videos: list[str] = list(dict.fromkeys([*names, *forged]))
        positions = {name: position for position, name in enumerate(self.videos)}
        self._video_of_row = [positions[name] for name in names]
        self._forged_video_of_row = [positions.get(f"{name} (pseudo-fake)", -1) for name in names]
        shown = [item.rows[0] for item in self._items]
        sources = [shown[item] for item in self._sources(0)]
        self.labels: list[int] = [_label(self._rows[row]) for row in shown] + [FAKE] * len(sources)
        """Of each item; -1 where the row has none."""
        self.tracks: list[int] = [self._rows[row].track_id for row in shown + sources]
        """Of each item: the face within its video."""
        self.boxes: list[Box] = [self._rows[row].box for row in shown + sources]
        """Of each item: where that face is, in pixels of the video."""
        self.item_videos: list[int] = [self._video_of_row[row] for row in shown]
        self.item_videos += [self._forged_video_of_row[row] for row in sources]
        """Of each item: its index into ``videos``; a pseudo-fake is not in the video it was made from."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random windows and augmentations the items show."""
        self._epoch.set(epoch)

    def pairs(self, epoch: int) -> list[tuple[int, int]]:
        """Each pseudo-fake of an epoch with the item it is made from: (genuine, fake)."""
        return list(zip(self._sources(epoch), range(len(self._items), len(self)), strict=True))

    def __len__(self) -> int:
        return len(self._items) + self._num_fakes

    @property
    def is_paired(self) -> bool:
        """Whether some items belong together, as ``pairs`` tells."""
        return self._forger is not None

    def __getitem__(self, index: int) -> Example:
        return self.example(index, self._epoch.get() if self._training else 0)

    def example(self, index: int, epoch: int) -> Example:
        """An item as an epoch shows it."""
        is_fake = index >= len(self._items)
        source = self._sources(epoch)[index - len(self._items)] if is_fake else index
        # The pair's common draws: the window, then the augmentation.
        generator = item_generator(self._seed, epoch, source)
        row, start = self._window(source, generator)
        pixels = (self._forged if is_fake else self._read)(source, row, start, epoch)
        whole = pixels = cut_down(pixels, self._part)
        if self._augmentation is not None:
            pixels = self._augmentation(pixels, generator)
        pixels = resize_clip(pixels, self._image_size)
        videos = self._forged_video_of_row if is_fake else self._video_of_row
        item: Example = {
            "pixels": torch.from_numpy(np.ascontiguousarray(pixels)),
            "label": FAKE if is_fake else _label(self._rows[row]),
            "video": videos[row],
        }
        if self._views is not None:
            whole = resize_clip(whole, self._image_size)
            item["views"] = self._views(whole, item_generator(self._seed, epoch, index, VIEW_STREAM))
        return item

    def _windows_of(self, face: tuple[int, ...], windows: int) -> list[_Item]:
        """Drawn when asked for in training; otherwise spread over the face, no more than cover it."""
        if self._training:
            return [_Item(face)] * windows
        lengths = [self._rows[row].num_frames for row in face]
        return [
            _Item((face[part],), start) for part, start in spread_over_rows(lengths, self._frames, windows)
        ]

    def _set_up_forger(self, settings: PseudoFakes) -> None:
        if not self._genuine:
            raise ManifestError(
                "data.pseudo_fakes needs genuine clips to start from, the selection has none; widen it"
            )
        self._num_fakes = max(round(settings.share * len(self._genuine)), 1)
        real_rows = [index for index, row in enumerate(self._rows) if row.label == REAL]
        self._genuine_row = {row: position for position, row in enumerate(real_rows)}
        size = round(self._image_size / self._part) if settings.at_model_size else None
        rows = [self._rows[index] for index in real_rows]
        self._forger = Forger(self._root, rows, self._frames, settings, size)

    def _sources(self, epoch: int) -> Sequence[int]:
        """The genuine item of each pseudo-fake: spread evenly; in training others every epoch."""
        count, slots = len(self._genuine), range(self._num_fakes)
        if not self._training or self._num_fakes == count:
            return [self._genuine[slot * count // self._num_fakes] for slot in slots]
        if self._chosen[0] != epoch:
            order = item_generator(self._seed, epoch, 0, CHOICE_STREAM).permutation(count)
            self._chosen = epoch, [self._genuine[order[slot]] for slot in slots]
        return self._chosen[1]

    def _first_row(self, item: int) -> ManifestRow:
        return self._rows[self._items[item].rows[0]]

    def _window(self, item: int, generator: np.random.Generator) -> tuple[int, int]:
        """Row and first stored frame; every window of the face's rows is drawn equally often."""
        rows, start = self._items[item].rows, self._items[item].start
        if start is not None:
            return rows[0], start
        starts = [max(self._rows[row].num_frames - self._frames, 0) + 1 for row in rows]
        drawn = int(generator.integers(sum(starts)))
        part = int(np.searchsorted(np.cumsum(starts), drawn, side="right"))
        return rows[part], drawn - sum(starts[:part])

    def _read(self, item: int, row: int, start: int, epoch: int) -> np.ndarray:
        if self._rows[row].num_frames >= self._frames:
            return read_frames(self._root / self._rows[row].clip_file, range(start, start + self._frames))
        return self._face(item, row, start, epoch).pixels

    def _face(self, item: int, row: int, start: int, epoch: int) -> FaceFrames:
        camera = item_generator(self._seed, epoch, item, CAMERA_STREAM)
        return read_face(self._root, self._rows[row], start, self._frames, camera)

    def _forged(self, item: int, row: int, start: int, epoch: int) -> np.ndarray:
        """The manipulated frames; of the next genuine item where this face shows no manipulation."""
        assert self._forger is not None
        place = bisect_left(self._genuine, item)
        for stand_in in range(STAND_INS):
            item = self._genuine[(place + stand_in) % len(self._genuine)]
            key = item if self._training else self._face_of_row[self._items[item].rows[0]]
            generator = item_generator(self._seed, epoch, key, FORGER_STREAM)
            if stand_in:
                row, start = self._window(item, generator)
            face = self._face(item, row, start, epoch)
            fake = self._forger.forge(face, self._genuine_row[row], generator)
            if fake is not None:
                return fake
        raise ManifestError(
            f"no pseudo-fake shows on {self._rows[row].clip_file} nor on "
            f"{STAND_INS - 1} other faces; raise the strengths in data.pseudo_fakes, or extract larger faces"
        )


def spread_over_rows(lengths: Sequence[int], frames: int, windows: int) -> list[tuple[int, int]]:
    """(row, first frame) of up to ``windows`` windows spread over a face's rows, as evenly as these allow.

    Each window goes where the most frames are without one.
    """
    most = [-(-length // frames) for length in lengths]
    counts = [0] * len(lengths)
    for _ in range(min(windows, sum(most))):
        open_rows = [row for row in range(len(lengths)) if counts[row] < most[row]]
        counts[max(open_rows, key=lambda row: lengths[row] / (counts[row] + 1))] += 1
    return [
        (row, start)
        for row, count in enumerate(counts)
        if count
        for start in spread_windows(lengths[row], frames, count)
    ]


def spread_windows(num_frames: int, frames: int, windows: int) -> list[int]:
    """First frames of up to ``windows`` windows spread evenly: both ends included, one alone in the middle.

    No more windows than cover the frames once: 40 frames hold 3 windows of 16 at most; a picture is one.
    """
    if num_frames == 1:
        return [0]
    last = num_frames - frames
    count = min(windows, -(-num_frames // frames))
    if count == 1:
        return [last // 2]
    return [round(position * last / (count - 1)) for position in range(count)]


def _faces(rows: Sequence[ManifestRow]) -> list[tuple[int, ...]]:
    """The rows of each face, in the order of their first ones."""
    faces: dict[tuple[str, str, int], list[int]] = {}
    for index, row in enumerate(rows):
        faces.setdefault((row.corpus, row.video_id, row.track_id), []).append(index)
    return [tuple(face) for face in faces.values()]


def _label(row: ManifestRow) -> int:
    return -1 if row.label is None else row.label


def _require_frames(rows: Sequence[ManifestRow], frames: int) -> None:
    """Raises ManifestError unless every row holds a whole clip or a still picture."""
    if not rows:
        raise ManifestError("no clips to load: the selection is empty; widen data.train or data.val")
    short = [row for row in rows if 1 < row.num_frames < frames]
    if short:
        raise ManifestError(
            f"{len(short)} of {len(rows)} clip files are shorter than a clip of {frames} frames, such as "
            f"{short[0].clip_file} with {short[0].num_frames}; run preprocess with --frames {frames}"
        )
