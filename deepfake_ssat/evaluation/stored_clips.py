"""Scores the stored face clips of a manifest, read ahead by background threads.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.resize import cut_down, resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.records import ClipScore, ManifestRow

FRAMES_PER_FACE = 32
"""Most frames that a model of single images scores of one face."""
MAX_READERS = 8

ChangePixels = Callable[["StoredClip", np.ndarray], np.ndarray]
"""(T, H, W, C) uint8 of a stored clip -> the same shape and type."""


@dataclass(frozen=True)
class StoredClip:
    """Consecutive stored frames of one clip file, as many as the model reads."""

    row: ManifestRow
    start: int
    """The first of them, counted in the file."""
    frames: int

    @property
    def first_frame(self) -> int:
        """Its true index in the video."""
        return self.row.first_frame + self.start * self.row.frame_stride

    def scored(self, probability: float) -> ClipScore:
        """Its score, placed in the video."""
        step = (self.row.end_seconds - self.row.start_seconds) / max(self.row.num_frames - 1, 1)
        start, end = (
            round(self.row.start_seconds + step * index, 3)
            for index in (self.start, self.start + self.frames - 1)
        )
        return ClipScore(self.row.track_id, start, end, probability)


def plan_clips(rows: Sequence[ManifestRow], frames: int) -> list[StoredClip]:
    """All non-overlapping segments of ``frames`` frames; or, for images, single frames spread over each face.

    A face is one track of one video. Raises ManifestError where a clip file is shorter than a segment.
    """
    if frames == 1:
        return _spread_frames(rows)
    short = next((row for row in rows if row.num_frames < frames), None)
    if short is not None:
        # A still picture can be shown moving in training, but it is no video to be judged.
        remedy = f"run preprocess with --frames {frames}"
        remedy = "leave still pictures out" if short.num_frames == 1 else remedy
        raise ManifestError(
            f"{short.clip_file} has {short.num_frames} frames, the model needs {frames}; {remedy}"
        )
    return [
        StoredClip(row, start, frames)
        for row in rows
        for start in range(0, row.num_frames - frames + 1, frames)
    ]


def score_clips(
    clips: Sequence[StoredClip],
    root: Path,
    image_size: int,
    score: Callable[[np.ndarray], np.ndarray],
    batch: int,
    change: ChangePixels | None = None,
    shown: float = 1.0,
) -> Iterator[tuple[Sequence[StoredClip], np.ndarray]]:
    """Batches of clips with their probabilities (B,), in the order given.

    ``score`` maps (B, T, H, W, C) uint8 to (B,), as ``Detector.score`` does; the next batches are read, and
    changed by ``change`` at their stored size, meanwhile; of their sides the part ``shown`` is scored, the
    centre. A damaged file raises ManifestError naming it: no clip is left out.
    """
    batches = (clips[start : start + batch] for start in range(0, len(clips), batch))
    readers = min(MAX_READERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(readers, thread_name_prefix="clip-reader") as pool:

        def begin(part: Sequence[StoredClip]) -> tuple[Sequence[StoredClip], Future[np.ndarray]]:
            return part, pool.submit(_read, root, part, image_size, change, shown)

        waiting = deque(begin(part) for part in islice(batches, readers + 1))
        try:
            while waiting:
                part, pixels = waiting.popleft()
                yield part, score(pixels.result())
                waiting.extend(begin(following) for following in islice(batches, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _read(
    root: Path,
    clips: Sequence[StoredClip],
    image_size: int,
    change: ChangePixels | None,
    shown: float,
) -> np.ndarray:
    """The pixels of clips (B, T, H, W, C), opening each file once."""
    parts = []
    for clip_file, members in groupby(clips, key=lambda clip: clip.row.clip_file):
        segments = list(members)
        indices = [clip.start + index for clip in segments for index in range(clip.frames)]
        pixels = read_frames(root / clip_file, indices)
        if change is not None:
            by_clip = pixels.reshape(len(segments), -1, *pixels.shape[1:])
            pixels = np.concatenate([change(*pair) for pair in zip(segments, by_clip, strict=True)])
        pixels = resize_clip(cut_down(pixels, shown), image_size)
        parts.append(pixels.reshape(len(segments), -1, *pixels.shape[1:]))
    return np.concatenate(parts)


def _spread_frames(rows: Sequence[ManifestRow]) -> list[StoredClip]:
    """Up to ``FRAMES_PER_FACE`` single frames of each face, the first and the last included."""
    faces: dict[tuple[str, str, int], list[ManifestRow]] = defaultdict(list)
    for row in rows:
        faces[row.corpus, row.video_id, row.track_id].append(row)
    chosen = []
    for parts in faces.values():
        stored = [StoredClip(row, index, 1) for row in parts for index in range(row.num_frames)]
        positions = np.linspace(0, len(stored) - 1, min(FRAMES_PER_FACE, len(stored)))
        chosen.extend(stored[position] for position in positions.round().astype(int))
    return chosen
