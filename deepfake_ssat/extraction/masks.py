"""Which face of a fake was changed: the one under its mask video, or where it differs from its original.

Videos can show several people, of whom one was changed; the others are genuine in a video labelled fake.
Each face is measured at the video's own resolution, against what lies outside all faces of the frame, since
compression alone changes everything a little. A mask can be shorter than its video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.records import FaceClip
from deepfake_ssat.video.frame_folder import open_video_or_frames

SAMPLE_EVERY = 8
"""Frames between two that are looked at."""
NOISE = 32
"""Grey levels: a mask, or a difference, without a brighter pixel shows no change at all."""
AROUND_FACES = 0.5
"""Manipulations reach beyond the box: so many of its sides around it are no background."""
OF_FRAMES = 75
"""Percentile over a track's frames: one that was changed in a quarter of them was changed."""
MIN_CHANGE = 2.0
"""Grey levels above the background: with less in every track, nothing tells which face was changed."""
UNCHANGED = 0.4
"""A track with less than this part of the most changed one's change was not changed. Measured on fakes of
FaceForensics++ training people: mouths of NeuralTextures 4 to 6 grey levels, swapped faces 9 to 12, genuine
faces beside them 0.1 to 1.6."""


AtHand = Callable[[Path], AbstractContextManager[Path]]
"""The file itself while it is read, brought from where it lies if need be."""


@dataclass(frozen=True)
class Changes:
    """How much the tracks of a fake were changed, in grey levels."""

    by_track: dict[int, float]
    """Above the background; a track that is in no picture is absent."""
    largest: float
    """Of any pixel."""


class TrackPlaces:
    """Where the face of each track is, in the frames that are looked at."""

    def __init__(self, width: int, height: int) -> None:
        self.tracks: set[int] = set()
        self.boxes: dict[int, dict[int, np.ndarray]] = defaultdict(dict)
        """Frame to track to its box, in parts of the frame's width and height."""
        self._scale = np.array([1 / width, 1 / height, 1 / width, 1 / height])

    def add(self, clip: FaceClip) -> None:
        """Notes the boxes of one clip."""
        self.tracks.add(clip.track_id)
        for index, box in zip(clip.frame_indices.tolist(), clip.boxes, strict=True):
            if index % SAMPLE_EVERY == 0:
                self.boxes[index][clip.track_id] = box * self._scale

    def keep(self, tracks: set[int]) -> None:
        """Forgets all other tracks."""
        self.tracks &= tracks
        for boxes in self.boxes.values():
            for track in boxes.keys() - tracks:
                del boxes[track]

    def changes(self, pictures: Iterator[tuple[int, np.ndarray]]) -> Changes:
        """(frame, (H, W) how much each of its pixels was changed) -> what that says of the tracks."""
        found: dict[int, list[float]] = defaultdict(list)
        largest = 0.0
        for index, picture in pictures:
            largest = max(largest, float(picture.max()))
            for track, change in measure(picture, self.boxes[index]).items():
                found[track].append(change)
        by_track = {track: float(np.percentile(values, OF_FRAMES)) for track, values in found.items()}
        return Changes(by_track, largest)


def find_changed(
    places: TrackPlaces,
    fake: Path,
    mask: Path | None,
    original: Path | None,
    warnings: list[str],
    at_hand: AtHand = nullcontext,
) -> set[int] | None:
    """The tracks of changed faces, or None where nothing tells; says in ``warnings`` what was done.

    A track is left out on positive evidence only: it was looked at, and it is like the background where
    another one, or the mask, is not. A mask is believed even if it lights no face. The original is compared
    only where there are several tracks to choose from.
    """
    file = mask or original
    if file is None or (mask is None and len(places.tracks) < 2):
        return None
    evidence = "mask" if mask is not None else "difference from the original"
    try:
        with at_hand(file) as evident:
            changes = places.changes(_light(evident, places) if mask else _difference(fake, evident, places))
    except VideoError as error:
        warnings.append(f"{evidence} not used: {error}")
        return None
    most = max(changes.by_track.values(), default=0.0)
    if not changes.by_track:
        why = "it has none of the frames that were looked at, or has them in another size"
    elif changes.largest < NOISE:
        why = "it shows no change"
    elif mask is None and most < MIN_CHANGE:
        why = "it points at no face"
    else:
        why = ""
    if why:
        warnings.append(f"{evidence} not used: {why}")
        return None
    limit = UNCHANGED * most if mask is None else max(UNCHANGED * most, MIN_CHANGE)
    unchanged = {track for track, change in changes.by_track.items() if change < limit}
    if unchanged:
        warnings.append(
            f"{len(unchanged)} of {len(places.tracks)} face tracks left out: not changed, by the {evidence}"
        )
    return places.tracks - unchanged


def measure(picture: np.ndarray, boxes: Mapping[int, np.ndarray]) -> dict[int, float]:
    """(H, W), boxes in parts of width and height -> the mean in each box less that outside all of them."""
    height, width = picture.shape
    scale = np.array([width, height, width, height])
    outside = np.ones(picture.shape, bool)
    inside = {}
    for track, box in boxes.items():
        x0, y0, x1, y1 = (box * scale).round().astype(int).clip(min=0)
        inside[track] = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        across, down = round(AROUND_FACES * (x1 - x0)), round(AROUND_FACES * (y1 - y0))
        outside[max(y0 - down, 0) : y1 + down, max(x0 - across, 0) : x1 + across] = False
    background = float(picture[outside].mean()) if outside.any() else 0.0
    return {track: float(part.mean()) - background for track, part in inside.items() if part.size}


def _light(mask: Path, places: TrackPlaces) -> Iterator[tuple[int, np.ndarray]]:
    """The brightest channel of the mask's frames."""
    for index, pixels in _sampled(mask, places):
        yield index, pixels.max(axis=2)


def _difference(fake: Path, original: Path, places: TrackPlaces) -> Iterator[tuple[int, np.ndarray]]:
    """The mean over the channels, from frames of the same index and size."""
    # Both are read side by side, so that memory does not grow with the pictures of either.
    genuine = _sampled(original, places)
    other, right = next(genuine, (-1, None))
    for index, left in _sampled(fake, places):
        while right is not None and other < index:
            other, right = next(genuine, (other, None))
        if right is not None and other == index and left.shape == right.shape:
            yield index, cv2.absdiff(left, right).mean(axis=2)


def _sampled(path: Path, places: TrackPlaces) -> Iterator[tuple[int, np.ndarray]]:
    """The frames in which a face was noted: (index, (H, W, 3) uint8)."""
    last = max(places.boxes, default=-1)
    with open_video_or_frames(path) as reader:
        for frame in reader:
            if frame.index in places.boxes:
                yield frame.index, frame.rgb()
            if frame.index >= last:
                return
