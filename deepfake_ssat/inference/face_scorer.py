"""Face clips and pictures of faces to probabilities, in the shape that a network reads.

B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat.clips.flip import flip_clip
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.config import NetworkSettings
from deepfake_ssat.records import FaceClip


@dataclass(frozen=True)
class FaceScorer:
    """Brings faces to the network's frames and size."""

    settings: NetworkSettings
    stored_frames: int
    """Of a clip, at least as many as the network reads."""
    score: Callable[[np.ndarray], np.ndarray]
    """(B, T, H, W, C) uint8 of the network's frames and size -> (B,) probabilities of fake."""

    def clips(self, batch: Sequence[FaceClip]) -> list[float]:
        """One probability a clip; a clip longer than the network's is the mean over its consecutive parts."""
        frames, size = self.settings.frames, self.settings.image_size
        parts = self.stored_frames // frames
        pixels = [resize_clip(clip.pixels[: parts * frames], size) for clip in batch]
        shown = np.concatenate(pixels).reshape(-1, frames, size, size, 3)
        return self.score(shown).reshape(len(batch), parts).mean(axis=1).tolist()

    def stills(self, batch: Sequence[FaceClip]) -> list[float]:
        """The same of clips that stand still."""
        return self.pictures(np.stack([clip.pixels[0] for clip in batch])).tolist()

    def pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8 -> (B,): the mean over a picture and its mirror image, held for a clip."""
        shown = resize_clip(pixels, self.settings.image_size)
        views = np.stack([shown, flip_clip(shown)])[:, :, None]
        clips = np.repeat(views, self.settings.frames, axis=2)
        return self.score(clips.reshape(-1, *clips.shape[2:])).reshape(2, -1).mean(axis=0)


def scored_in_batches(
    clips: Iterable[FaceClip], score: Callable[[Sequence[FaceClip]], list[float]], size: int
) -> Iterator[tuple[FaceClip, float]]:
    """Each clip with its probability, in order, ``size`` of them scored at a time."""
    for batch in _batches(clips, size):
        yield from zip(batch, score(batch), strict=True)


def _batches(clips: Iterable[FaceClip], size: int) -> Iterator[list[FaceClip]]:
    batch: list[FaceClip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
