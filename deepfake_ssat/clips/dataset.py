"""Face clips, or single face frames, as a torch data set over manifest rows.

T frames, H W pixels, C channels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from deepfake_ssat.clips.augment import ClipAugmentation
from deepfake_ssat.clips.forging import FaceFrames, Forger, read_face
from deepfake_ssat.clips.items import Example, SharedEpoch, item_generator
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.config import PseudoFakes
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import FAKE, REAL, ManifestRow

CAMERA_STREAM, FORGER_STREAM, CHOICE_STREAM = 1, 2, 3
STAND_INS = 20
"""Faces tried in place of one that no manipulation shows on."""


class FaceClipDataset(Dataset[Example]):
    """Windows of consecutive stored frames, and pseudo-fakes of the genuine ones.

    Training: ``clips_per_face`` random windows of each row and epoch, augmented; the draw depends on (seed,
    epoch, index) only. Otherwise: up to ``clips_per_face`` fixed windows spread evenly over each row, no more
    than cover it once. A still picture, a row of one frame, is shown moving. A damaged clip file raises
    ManifestError naming it when its item is asked for.

    The pseudo-fakes are the last items. Each shows the frames of a genuine item, under the same augmentation;
    in validation all windows of a row are manipulated by one draw, as a manipulated video would be.
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
    ) -> None:
        _require_frames(rows, frames)
        self._root = manifest.root
        self._rows = tuple(rows)
        self._frames = frames
        self._image_size = image_size
        self._training = training
        self._augmentation = augmentation if training else None
        self._seed = seed
        self._epoch = SharedEpoch()
        self._windows: list[tuple[int, int | None]] = [
            (index, start)
            for index, row in enumerate(rows)
            for start in (
                [None] * clips_per_face
                if training
                else spread_windows(row.num_frames, frames, clips_per_face)
            )
        ]
        """Row and first stored frame of each item; None is drawn anew every epoch."""
        self._genuine = [i for i, (row, _) in enumerate(self._windows) if self._rows[row].label == REAL]
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
        sources = [self._windows[item][0] for item in self._sources(0)]
        self.labels: list[int] = [_label(self._rows[row]) for row, _ in self._windows]
        self.labels += [FAKE] * len(sources)
        """Of each item; -1 where the row has none."""
        self.tracks: list[int] = [self._rows[row].track_id for row in [r for r, _ in self._windows] + sources]
        """Of each item: the face within its video."""
        self.item_videos: list[int] = [self._video_of_row[row] for row, _ in self._windows]
        self.item_videos += [self._forged_video_of_row[row] for row in sources]
        """Of each item: its index into ``videos``; a pseudo-fake is not in the video it was made from."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random windows and augmentations the items show."""
        self._epoch.set(epoch)

    def pairs(self, epoch: int) -> list[tuple[int, int]]:
        """Each pseudo-fake of an epoch with the item it is made from: (genuine, fake)."""
        return list(zip(self._sources(epoch), range(len(self._windows), len(self)), strict=True))

    def __len__(self) -> int:
        return len(self._windows) + self._num_fakes

    def __getitem__(self, index: int) -> Example:
        is_fake = index >= len(self._windows)
        epoch = self._epoch.get() if self._training else 0
        source = self._sources(epoch)[index - len(self._windows)] if is_fake else index
        row_index, _ = self._windows[source]
        # The pair's common draws: the window, then the augmentation.
        generator = item_generator(self._seed, epoch, source)
        start = self._start(source, generator)
        pixels = self._forged(source, start, epoch) if is_fake else self._read(source, start, epoch)
        pixels = resize_clip(pixels, self._image_size)
        if self._augmentation is not None:
            pixels = self._augmentation(pixels, generator)
        videos = self._forged_video_of_row if is_fake else self._video_of_row
        return {
            "pixels": torch.from_numpy(np.ascontiguousarray(pixels)),
            "label": FAKE if is_fake else _label(self._rows[row_index]),
            "video": videos[row_index],
        }

    def _set_up_forger(self, settings: PseudoFakes) -> None:
        if not self._genuine:
            raise ManifestError(
                "data.pseudo_fakes needs genuine clips to start from, the selection has none; widen it"
            )
        self._num_fakes = max(round(settings.share * len(self._genuine)), 1)
        real_rows = [index for index, row in enumerate(self._rows) if row.label == REAL]
        self._genuine_row = {row: position for position, row in enumerate(real_rows)}
        size = self._image_size if settings.at_model_size else None
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

    def _start(self, item: int, generator: np.random.Generator) -> int:
        row_index, start = self._windows[item]
        num_frames = self._rows[row_index].num_frames
        return int(generator.integers(max(num_frames - self._frames, 0) + 1)) if start is None else start

    def _read(self, item: int, start: int, epoch: int) -> np.ndarray:
        row = self._rows[self._windows[item][0]]
        if row.num_frames >= self._frames:
            return read_frames(self._root / row.clip_file, range(start, start + self._frames))
        return self._face(item, start, epoch).pixels

    def _face(self, item: int, start: int, epoch: int) -> FaceFrames:
        row = self._rows[self._windows[item][0]]
        camera = item_generator(self._seed, epoch, item, CAMERA_STREAM)
        return read_face(self._root, row, start, self._frames, camera)

    def _forged(self, item: int, start: int, epoch: int) -> np.ndarray:
        """The manipulated frames; of the next genuine item where this face shows no manipulation."""
        assert self._forger is not None
        place = bisect_left(self._genuine, item)
        for stand_in in range(STAND_INS):
            item = self._genuine[(place + stand_in) % len(self._genuine)]
            row_index, _ = self._windows[item]
            key = item if self._training else row_index
            generator = item_generator(self._seed, epoch, key, FORGER_STREAM)
            if stand_in:
                start = self._start(item, generator)
            face = self._face(item, start, epoch)
            fake = self._forger.forge(face, self._genuine_row[row_index], generator)
            if fake is not None:
                return fake
        raise ManifestError(
            f"no pseudo-fake shows on {self._rows[self._windows[item][0]].clip_file} nor on "
            f"{STAND_INS - 1} other faces; raise the strengths in data.pseudo_fakes, or extract larger faces"
        )


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
