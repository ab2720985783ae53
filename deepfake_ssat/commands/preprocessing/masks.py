"""Which face of a video was changed: the one under the bright region of the corpus's mask video.

DFD videos can show several people, of whom one was changed. A mask can be shorter than its video.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import FaceClip
from deepfake_ssat.video import open_video

SAMPLE_EVERY = 8
"""Mask frames between two that are looked at."""
MASK_SIDE = 160
"""The mask's longer side after shrinking, in pixels."""
NOISE_FLOOR = 32
"""Darker pixels are compression noise around black."""
MIN_SHARE = 0.3
"""A changed face holds at least this share of the mask's light."""


@dataclass(frozen=True)
class MaskVideo:
    """The brightness of sampled mask frames."""

    samples: dict[int, np.ndarray]
    """Frame index, a multiple of SAMPLE_EVERY, to (h, w) uint8."""
    num_frames: int

    @classmethod
    def read(cls, path: Path) -> MaskVideo:
        """Raises VideoError where the mask cannot be read."""
        samples, num_frames = {}, 0
        with open_video(path) as reader:
            for frame in reader:
                num_frames = frame.index + 1
                if frame.index % SAMPLE_EVERY == 0:
                    light = frame.rgb(longest_side=MASK_SIDE).max(axis=2)
                    samples[frame.index] = np.where(light >= NOISE_FLOOR, light, 0)
        return cls(samples, num_frames)


class ChangedFaces:
    """Collects the boxes of all tracks, then tells which of them the mask shows."""

    def __init__(self, mask: MaskVideo, width: int, height: int) -> None:
        self._mask = mask
        self._scale = np.array([1 / width, 1 / height, 1 / width, 1 / height])
        self._shares: dict[int, dict[int, float]] = defaultdict(dict)
        """Sampled frame to track to its share of the mask's light."""
        self._tracks: set[int] = set()

    def add(self, clip: FaceClip) -> None:
        """Measures how much of the mask's light falls into each of the clip's boxes."""
        self._tracks.add(clip.track_id)
        for index, box in zip(clip.frame_indices, clip.boxes, strict=True):
            sample = int(index) // SAMPLE_EVERY * SAMPLE_EVERY
            light = self._mask.samples.get(sample)
            if light is None or clip.track_id in self._shares[sample] or not light.any():
                continue
            height, width = light.shape
            x0, y0, x1, y1 = (box * self._scale * [width, height, width, height]).round().astype(int)
            inside = light[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
            self._shares[sample][clip.track_id] = float(inside.sum() / light.sum())

    def changed(self) -> set[int]:
        """Tracks that hold the most light in at least half of the frames in which the mask shows anything."""
        seen: dict[int, int] = defaultdict(int)
        won: dict[int, int] = defaultdict(int)
        for shares in self._shares.values():
            for track in shares:
                seen[track] += 1
            best = max(shares, key=lambda track: shares[track], default=None)
            if best is not None and shares[best] >= MIN_SHARE:
                won[best] += 1
        return {track for track in won if 2 * won[track] >= seen[track]}

    def describe(self, num_frames: int) -> list[str]:
        """Warnings: faces left out, and a mask that ends before its video."""
        warnings = []
        others = len(self._tracks) - len(self.changed())
        if others:
            warnings.append(
                f"{others} of {len(self._tracks)} face tracks left out: the mask shows another face changed"
            )
        if self._mask.num_frames < num_frames:
            warnings.append(f"the mask has {self._mask.num_frames} of the video's {num_frames} frames")
        return warnings


def read_mask(path: Path, warnings: list[str]) -> MaskVideo | None:
    """The mask, or None with a warning: without it all faces of a fake are taken as changed."""
    try:
        mask = MaskVideo.read(path)
    except VideoError as error:
        warnings.append(f"mask not used: {error}")
        return None
    if not any(light.any() for light in mask.samples.values()):
        warnings.append("mask not used: it is dark throughout")
        return None
    return mask
