"""Face clips, or single face frames, as a torch data set over manifest rows.

T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from deepfake_ssat.clips.augment import ClipAugmentation
from deepfake_ssat.clips.items import Example, SharedEpoch, item_generator
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import ManifestRow


class FaceClipDataset(Dataset[Example]):
    """Windows of consecutive stored frames.

    Training: ``clips_per_face`` random windows of each row and epoch, augmented; the draw depends on (seed,
    epoch, index) only. Otherwise: up to ``clips_per_face`` fixed windows spread evenly over each row, no more
    than cover it once. A damaged clip file raises ManifestError naming it when its item is asked for.
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
    ) -> None:
        _require_frames(rows, frames)
        self._root = manifest.root
        self._rows = tuple(rows)
        self._frames = frames
        self._image_size = image_size
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
        names = [f"{row.corpus}/{row.video_id}" for row in rows]
        self.videos: list[str] = list(dict.fromkeys(names))
        positions = {name: position for position, name in enumerate(self.videos)}
        self._video_of_row = [positions[name] for name in names]
        self.labels: list[int] = [_label(self._rows[row]) for row, _ in self._windows]
        """Of each item; -1 where the row has none."""
        self.tracks: list[int] = [self._rows[row].track_id for row, _ in self._windows]
        """Of each item: the face within its video."""
        self.item_videos: list[int] = [self._video_of_row[row] for row, _ in self._windows]
        """Of each item: its index into ``videos``."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random windows and augmentations the items show."""
        self._epoch.set(epoch)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Example:
        row_index, start = self._windows[index]
        row = self._rows[row_index]
        generator = item_generator(self._seed, self._epoch.get(), index)
        if start is None:
            start = int(generator.integers(row.num_frames - self._frames + 1))
        pixels = read_frames(self._root / row.clip_file, range(start, start + self._frames))
        pixels = resize_clip(pixels, self._image_size)
        if self._augmentation is not None:
            pixels = self._augmentation(pixels, generator)
        return {
            "pixels": torch.from_numpy(np.ascontiguousarray(pixels)),
            "label": _label(row),
            "video": self._video_of_row[row_index],
        }


def spread_windows(num_frames: int, frames: int, windows: int) -> list[int]:
    """First frames of up to ``windows`` windows spread evenly: both ends included, one alone in the middle.

    No more windows than cover the frames once: 40 frames hold 3 windows of 16 at most.
    """
    last = num_frames - frames
    count = min(windows, -(-num_frames // frames))
    if count == 1:
        return [last // 2]
    return [round(position * last / (count - 1)) for position in range(count)]


def _label(row: ManifestRow) -> int:
    return -1 if row.label is None else row.label


def _require_frames(rows: Sequence[ManifestRow], frames: int) -> None:
    """Raises ManifestError unless every row holds a whole clip."""
    if not rows:
        raise ManifestError("no clips to load: the selection is empty; widen data.train or data.val")
    short = [row for row in rows if row.num_frames < frames]
    if short:
        raise ManifestError(
            f"{len(short)} of {len(rows)} clip files are shorter than a clip of {frames} frames, such as "
            f"{short[0].clip_file} with {short[0].num_frames}; run preprocess with --frames {frames}"
        )
