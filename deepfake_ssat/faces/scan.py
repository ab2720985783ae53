"""Walks over consecutive frames: detects in every k-th, follows each face, and interpolates between.

No frame is held longer than it takes to find the faces on both sides of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.appearance import describe
from deepfake_ssat.faces.choice import TrackRecord
from deepfake_ssat.faces.crops import LooseCrop, crop_square, cut_loosely
from deepfake_ssat.faces.mtcnn import FaceDetector
from deepfake_ssat.faces.shots import SUSPICIOUS, difference, find_cuts, thumbnail
from deepfake_ssat.faces.tracks import FORGET_FRAMES, Tracker
from deepfake_ssat.faces.turning import MIN_PICTURES, TurnFinder
from deepfake_ssat.records import FaceDetection
from deepfake_ssat.video import VideoFrame

HELD_BYTES = 60_000_000
"""Of decoded frames that may wait for their faces: two searched ones a round at 1080p; more save no time."""
MAX_BATCH = 8
"""Frames that go through the networks together."""
THUMBNAIL_SOURCE = 64
SAME_SHAPE = 0.02
"""Difference of aspects that is rounding."""


@dataclass(frozen=True)
class Sighting:
    """One face in one frame, found there or interpolated."""

    track_id: int
    frame_index: int
    seconds: float
    box: np.ndarray
    """(4,) in frame pixels."""
    landmarks: np.ndarray
    """(5, 2) in frame pixels."""
    square: np.ndarray
    """(3,): center x, center y and side of the unsmoothed crop."""
    loose: LooseCrop


@dataclass(frozen=True)
class _Seen:
    """A frame that was searched: each face's box (4,) and landmarks (5, 2) by track."""

    faces: dict[int, tuple[np.ndarray, np.ndarray]]
    thumbnail: np.ndarray
    begins_shot: bool


class FaceScanner:
    """Faces of one video; tracks go on from stretch to stretch."""

    def __init__(self, settings: ExtractionSettings, detector: FaceDetector, *, is_still: bool = False):
        """A still is one picture: if that shows a face turned, it is turned."""
        self._settings = settings
        self._detector = detector
        self._tracker = Tracker()
        self._pixel_size = 1.0
        """Frame pixels per pixel of the searched picture."""
        self._turns = TurnFinder(
            lambda picture: self._usable(self._detector.detect([picture])[0]),
            at_least=1 if is_still else MIN_PICTURES,
        )

    def find_turn(self) -> int:
        """Degrees clockwise by which frames without a face must be turned to show one; 0 if none helps."""
        return self._turns.find()

    @property
    def records(self) -> Mapping[int, TrackRecord]:
        """What was seen of each track so far."""
        return self._tracker.records

    def scan(
        self, frames: Iterable[VideoFrame], patience: int | None = FORGET_FRAMES
    ) -> Iterator[list[Sighting]]:
        """Consecutive frames -> the faces of each, in order; a frame without a face gives an empty list.

        ``patience``: after how many frames away a face is forgotten; None for never. Nothing is interpolated
        over a missing frame, nor over a change of the picture's size; one of its shape is a cut.
        """
        held: list[VideoFrame] = []
        anchor: _Seen | None = None
        for frame in frames:
            if held and (frame.index != held[-1].index + 1 or frame.own_size != held[-1].own_size):
                yield from self._flush(held, anchor, patience, last=True)[0]
                if not _same_shape(held[-1], frame):
                    self._tracker.forget()
                held, anchor = [], None
            held.append(frame)
            if len(held) > self._batch(frame) * self._settings.detect_every:
                sightings, anchor = self._flush(held, anchor, patience, last=False)
                yield from sightings
                held = held[-1:]
        if held:
            yield from self._flush(held, anchor, patience, last=True)[0]

    def _batch(self, frame: VideoFrame) -> int:
        """Searched frames per round, so that the frames between them fit into the memory."""
        return min(max(HELD_BYTES // (frame_bytes(frame) * self._settings.detect_every), 1), MAX_BATCH)

    def _flush(
        self, held: Sequence[VideoFrame], anchor: _Seen | None, patience: int | None, *, last: bool
    ) -> tuple[Iterator[list[Sighting]], _Seen]:
        """Finds the faces of the held frames; their sightings, and what was seen in the last of them.

        The first frame is the anchor where there is one. The last one is handed on as the next anchor and not
        yet among the sightings, unless it is the ``last`` of all.
        """
        positions = sorted({*range(0, len(held), self._settings.detect_every), len(held) - 1})
        seen = self._search(held, positions, anchor, patience)
        return self._sightings(held, seen, last=last), seen[len(held) - 1]

    def _search(
        self, held: Sequence[VideoFrame], positions: list[int], anchor: _Seen | None, patience: int | None
    ) -> dict[int, _Seen]:
        """Searches the frames at ``positions`` and on both sides of cuts between them."""
        pictures = {position: self._shrunk(held[position]) for position in positions}
        thumbnails = {position: thumbnail(picture) for position, picture in pictures.items()}
        starts = self._cuts(held, positions, thumbnails)
        for start in starts:
            for position in (start - 1, start):
                if position not in pictures:
                    pictures[position] = self._shrunk(held[position])
                    thumbnails[position] = thumbnail(pictures[position])
        order = sorted(position for position in pictures if not (position == 0 and anchor is not None))
        found = dict(zip(order, self._detect([pictures[position] for position in order]), strict=True))
        seen: dict[int, _Seen] = {} if anchor is None else {0: anchor}
        for position in order:
            begins_shot = position in starts
            if begins_shot:
                self._tracker.forget()
            frame, picture = held[position], pictures[position]
            faces = self._follow(frame, picture, found[position], patience)
            seen[position] = _Seen(faces, thumbnails[position], begins_shot)
        return seen

    def _cuts(
        self, held: Sequence[VideoFrame], positions: Sequence[int], thumbnails: dict[int, np.ndarray]
    ) -> set[int]:
        """Positions of held frames that begin a new shot; looks closely only where searched frames differ."""
        starts: set[int] = set()
        for before, after in pairwise(positions):
            if difference(thumbnails[before], thumbnails[after]) > SUSPICIOUS:
                between = [thumbnail(frame.rgb(THUMBNAIL_SOURCE)) for frame in held[before : after + 1]]
                starts.update(before + cut for cut in find_cuts(between))
        return starts

    def _shrunk(self, frame: VideoFrame) -> np.ndarray:
        return frame.rgb(self._settings.detection_side)

    def _detect(self, pictures: list[np.ndarray]) -> list[list[FaceDetection]]:
        return [
            faces
            for start in range(0, len(pictures), MAX_BATCH)
            for faces in self._detector.detect(pictures[start : start + MAX_BATCH])
        ]

    def _follow(
        self, frame: VideoFrame, picture: np.ndarray, detections: list[FaceDetection], patience: int | None
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Detections in the shrunk picture -> faces by track, in frame pixels; small and doubtful ones go."""
        scale = frame.width / picture.shape[1]
        self._pixel_size = scale * frame.detail
        kept = self._usable(detections)
        if not kept:
            self._turns.note(picture)
        looks = [describe(picture, detection.box) for detection in kept]
        scaled = [
            FaceDetection(_times(detection.box, scale), detection.landmarks * scale, detection.confidence)
            for detection in kept
        ]
        numbers = self._tracker.update(frame.index, scaled, looks, patience)
        return {
            number: (np.array(detection.box), detection.landmarks.astype(np.float64))
            for number, detection in zip(numbers, scaled, strict=True)
        }

    def _usable(self, detections: list[FaceDetection]) -> list[FaceDetection]:
        """Those that are sure and large enough, in stored pixels."""
        settings = self._settings
        return [
            detection
            for detection in detections
            if detection.confidence >= settings.min_confidence
            and self._pixel_size * max(np.subtract(detection.box[2:], detection.box[:2]))
            >= settings.min_face_size
        ]

    def _sightings(
        self, held: Sequence[VideoFrame], seen: dict[int, _Seen], *, last: bool
    ) -> Iterator[list[Sighting]]:
        positions = sorted(seen)
        for before, after in pairwise(positions):
            yield self._in_frame(held[before], seen[before].faces)
            shared = {} if seen[after].begins_shot else seen[before].faces.keys() & seen[after].faces.keys()
            for position in range(before + 1, after):
                part = (position - before) / (after - before)
                faces = {
                    track: _between(seen[before].faces[track], seen[after].faces[track], part)
                    for track in sorted(shared)
                }
                yield self._in_frame(held[position], faces)
        if last:
            yield self._in_frame(held[-1], seen[positions[-1]].faces)

    def _in_frame(self, frame: VideoFrame, faces: dict[int, tuple[np.ndarray, np.ndarray]]) -> list[Sighting]:
        """Cuts the faces out of the frame, which is converted once, and only if there is one."""
        if not faces:
            return []
        pixels = frame.rgb()
        sightings = []
        for track, (box, landmarks) in faces.items():
            square = crop_square(box, self._settings.margin)
            loose = cut_loosely(pixels, square, self._settings.crop_size, frame.detail)
            sightings.append(Sighting(track, frame.index, frame.seconds, box, landmarks, square, loose))
        return sightings


def frame_bytes(frame: VideoFrame) -> int:
    """About what a decoded frame holds: 4:2:0 has 1.5 bytes a pixel."""
    return frame.width * frame.height * 3 // 2


def _same_shape(before: VideoFrame, after: VideoFrame) -> bool:
    """Whether two frames have the same aspect, so that what they show lies at the same places."""
    width, height = before.own_size or (before.width, before.height)
    other_width, other_height = after.own_size or (after.width, after.height)
    return abs(width * other_height - other_width * height) <= SAME_SHAPE * width * other_height


def _times(box: tuple[float, float, float, float], scale: float) -> tuple[float, float, float, float]:
    return box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale


def _between(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray], part: float
) -> tuple[np.ndarray, np.ndarray]:
    """Linear interpolation of box and landmarks."""
    return before[0] + part * (after[0] - before[0]), before[1] + part * (after[1] - before[1])
