"""Which face of a fake was changed: the one under its mask video, or where it differs from its original.

Videos can show several people, of whom one was changed; the others are genuine in a video labelled fake.
A mask can be shorter than its video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import FaceClip
from deepfake_ssat.video import open_video

SAMPLE_EVERY = 8
"""Frames between two that are looked at."""
SAMPLE_SIDE = 160
"""The longer side of a frame that is looked at, in pixels."""
NOISE_FLOOR = 32
"""Darker pixels, or smaller differences, are the noise of compression."""
MIN_SHARE = 0.3
"""A changed face holds at least this share of a frame's light."""


@dataclass(frozen=True)
class ChangeLight:
    """Where a fake was changed: the light of its mask, or its difference from the original."""

    samples: Mapping[int, np.ndarray]
    """Frame index, a multiple of SAMPLE_EVERY, to (h, w) uint8, 0 where nothing was changed."""

    @classmethod
    def from_mask(cls, mask: Path) -> ChangeLight:
        """Raises VideoError where the mask cannot be read."""
        return cls({index: _above_noise(picture) for index, picture in _sampled(mask)})

    @classmethod
    def from_difference(cls, fake: Path, original: Path) -> ChangeLight:
        """From frames of the same index and size; raises VideoError where one file cannot be read."""
        samples = {}
        # Both are read side by side, so that memory does not grow with the pictures of either.
        for (index, left), (other, right) in zip(_sampled(fake), _sampled(original), strict=False):
            if index == other and left.shape == right.shape:
                samples[index] = _above_noise(np.abs(left.astype(np.int16) - right).astype(np.uint8))
        return cls(samples)

    @property
    def is_dark(self) -> bool:
        """Whether it shows no change at all."""
        return not any(light.any() for light in self.samples.values())


class TrackPlaces:
    """Where the face of each track is, in the frames that are looked at."""

    def __init__(self, width: int, height: int) -> None:
        self.tracks: set[int] = set()
        self._scale = np.array([1 / width, 1 / height, 1 / width, 1 / height])
        self._boxes: dict[int, dict[int, np.ndarray]] = defaultdict(dict)
        """Sampled frame to track to its box, in parts of the frame's width and height."""

    def add(self, clip: FaceClip) -> None:
        """Notes the boxes of one clip."""
        self.tracks.add(clip.track_id)
        for index, box in zip(clip.frame_indices, clip.boxes, strict=True):
            sample = int(index) // SAMPLE_EVERY * SAMPLE_EVERY
            self._boxes[sample].setdefault(clip.track_id, box * self._scale)

    def changed(self, change: ChangeLight) -> set[int]:
        """Tracks that hold the most light in at least half of their frames in which there is any."""
        seen: dict[int, int] = defaultdict(int)
        won: dict[int, int] = defaultdict(int)
        for sample, boxes in self._boxes.items():
            light = change.samples.get(sample)
            if light is None or not light.any():
                continue
            shares = {track: _share(light, box) for track, box in boxes.items()}
            best = max(shares, key=lambda track: shares[track])
            won[best] += shares[best] >= MIN_SHARE
            for track in shares:
                seen[track] += 1
        return {track for track in seen if won[track] and 2 * won[track] >= seen[track]}


def find_changed(
    places: TrackPlaces, fake: Path, mask: Path | None, original: Path | None, warnings: list[str]
) -> set[int] | None:
    """The tracks of the changed face, or None where nothing tells; says in ``warnings`` what was done.

    A mask is believed even if it lights no face. The original is compared only where there are several
    tracks to choose from, and only believed if it points at one of them.
    """
    if mask is None and (original is None or len(places.tracks) < 2):
        return None
    evidence = "mask" if mask is not None else "difference from the original"
    try:
        if mask is not None:
            change = ChangeLight.from_mask(mask)
        else:
            assert original is not None
            change = ChangeLight.from_difference(fake, original)
    except VideoError as error:
        warnings.append(f"{evidence} not used: {error}")
        return None
    if change.is_dark:
        warnings.append(f"{evidence} not used: it shows no change")
        return None
    changed = places.changed(change)
    if mask is None and not changed:
        warnings.append(f"{evidence} not used: it points at no face")
        return None
    others = len(places.tracks - changed)
    if others:
        warnings.append(
            f"{others} of {len(places.tracks)} face tracks left out: not changed, by the {evidence}"
        )
    return changed


def _sampled(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Every SAMPLE_EVERY-th frame, small: (index, (h, w, 3) uint8)."""
    with open_video(path) as reader:
        for frame in reader:
            if frame.index % SAMPLE_EVERY == 0:
                yield frame.index, frame.rgb(longest_side=SAMPLE_SIDE)


def _above_noise(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) -> (h, w): the brightest channel, 0 below the noise floor."""
    light = picture.max(axis=2)
    return np.where(light >= NOISE_FLOOR, light, 0)


def _share(light: np.ndarray, box: np.ndarray) -> float:
    """How much of the light falls into a box given in parts of width and height."""
    height, width = light.shape
    x0, y0, x1, y1 = (box * [width, height, width, height]).round().astype(int).clip(min=0)
    return float(light[y0:y1, x0:x1].sum() / light.sum())
