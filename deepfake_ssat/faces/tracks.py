"""Follows faces from detection to detection: by overlap with where they should be now, and by their looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ssat.faces.appearance import likeness
from deepfake_ssat.faces.choice import TrackRecord
from deepfake_ssat.records import FaceDetection

MAX_DISTANCE = 1.0
"""Between predicted and found centre, in face sides, for the same face."""
MIN_LIKENESS, MIN_LIKENESS_AFTER_GAP = 0.3, 0.7
"""Of appearance, for the same face: seen at the last detection, or last seen some time ago."""
FORGET_FRAMES = 100
"""A face lost for longer comes back as a new track."""
APPEARANCE_MEMORY = 0.7


@dataclass
class Track:
    """One face as last seen."""

    track_id: int
    frame: int
    """True index of the last frame it was detected in."""
    detection: FaceDetection
    appearance: np.ndarray
    velocity: np.ndarray
    """(2,): pixels per frame of the centre."""

    def predicted_center(self, frame: int) -> np.ndarray:
        """(2,): where the centre should be, moving on as before but for no longer than 8 frames."""
        return _center(self.detection) + self.velocity * min(frame - self.frame, 8)


class Tracker:
    """Gives each detection the number of its face; a new shot begins with ``forget``."""

    def __init__(self) -> None:
        self.records: dict[int, TrackRecord] = {}
        """By number, every track so far, those that ended included."""
        self._tracks: list[Track] = []
        self._last_frame: int | None = None
        self._next_id = 0

    def forget(self) -> None:
        """Nobody seen so far is recognised again: call it at a cut."""
        self._tracks = []

    def update(
        self,
        frame: int,
        detections: Sequence[FaceDetection],
        appearances: Sequence[np.ndarray],
        patience: int | None,
    ) -> list[int]:
        """The detections of one frame -> their track numbers.

        ``patience`` is how many frames a face may be away and still be the same; None for any number.
        """
        if patience is not None:
            self._tracks = [track for track in self._tracks if frame - track.frame <= patience]
        numbers = [-1] * len(detections)
        for _, track_index, detection_index in self._costs(frame, detections, appearances):
            track = self._tracks[track_index]
            if numbers[detection_index] < 0 and track.track_id not in numbers:
                numbers[detection_index] = track.track_id
                self._move(track, frame, detections[detection_index], appearances[detection_index])
        for index, detection in enumerate(detections):
            if numbers[index] < 0:
                numbers[index] = self._next_id
                self._tracks.append(Track(self._next_id, frame, detection, appearances[index], np.zeros(2)))
                self._next_id += 1
        self._last_frame = frame
        self._record(numbers, detections)
        return numbers

    def _record(self, numbers: Sequence[int], detections: Sequence[FaceDetection]) -> None:
        largest = max(map(_side, detections), default=1.0)
        for number, detection in zip(numbers, detections, strict=True):
            record = self.records.setdefault(number, TrackRecord(number))
            record.add(detection.confidence, _side(detection) / largest)

    def _costs(
        self, frame: int, detections: Sequence[FaceDetection], appearances: Sequence[np.ndarray]
    ) -> list[tuple[float, int, int]]:
        """(cost, track, detection) of every possible pair, the most likely first."""
        pairs = []
        for track_index, track in enumerate(self._tracks):
            needed = MIN_LIKENESS if track.frame == self._last_frame else MIN_LIKENESS_AFTER_GAP
            for detection_index, detection in enumerate(detections):
                side = max(_side(track.detection), _side(detection))
                distance = float(np.linalg.norm(track.predicted_center(frame) - _center(detection))) / side
                scale = abs(np.log(_side(detection) / _side(track.detection)))
                alike = likeness(track.appearance, appearances[detection_index])
                if distance <= MAX_DISTANCE and scale <= np.log(2) and alike >= needed:
                    pairs.append((distance + scale + 2.0 * (1.0 - alike), track_index, detection_index))
        return sorted(pairs)

    def _move(self, track: Track, frame: int, detection: FaceDetection, appearance: np.ndarray) -> None:
        elapsed = max(frame - track.frame, 1)
        track.velocity = (_center(detection) - _center(track.detection)) / elapsed
        blended = APPEARANCE_MEMORY * track.appearance + (1 - APPEARANCE_MEMORY) * appearance
        track.appearance = blended / max(float(np.linalg.norm(blended)), 1e-6)
        track.frame, track.detection = frame, detection


def _center(detection: FaceDetection) -> np.ndarray:
    x0, y0, x1, y1 = detection.box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2])


def _side(detection: FaceDetection) -> float:
    x0, y0, x1, y1 = detection.box
    return max(x1 - x0, y1 - y0, 1.0)
