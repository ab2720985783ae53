"""Which tracks count as a video's faces: no hand or skyline that passed for one, no photo on a wall.

The rule compares the tracks of one video. It is no part of the extraction contract, which says how a face is
cut and not whose: preprocess and detect apply the same one to clips of every contract.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from deepfake_ssat.records import Box


@dataclass
class TrackRecord:
    """What was seen of one track: sums over its detections."""

    track_id: int
    num_detections: int = 0
    confidences: float = 0.0
    relative_sizes: float = 0.0

    def add(self, confidence: float, relative_size: float) -> None:
        """One more detection; its size in sizes of the largest face of the same frame."""
        self.num_detections += 1
        self.confidences += confidence
        self.relative_sizes += relative_size


SAME_FACE = 0.3
"""Overlap of two mean boxes of one face, found in versions of one video, at least."""

# Below the first value a measure speaks against a track, below the second it decides alone. Chosen on 338
# videos (docs/design.md): what goes there are hands, patterns, pictures of faces and half-hidden bystanders.
CONFIDENCE = (0.97, 0.94)
"""The detector's mean confidence. The 338 main faces have 0.992 or more, what is no face 0.96 or less."""
RELATIVE_SIZE = (0.35, 0.15)
LENGTH = (0.2, 0.0)
"""Detections, as a part of the longest track's: cuts break a person into short tracks, so never alone."""
MOST_DOUBTS = 1


def tracks_that_count(records: Collection[TrackRecord]) -> set[int]:
    """The ids of the tracks against which at most one measure speaks; all of them where none is so good."""
    longest = max((record.num_detections for record in records), default=0)
    good = {record.track_id for record in records if _doubts(record, longest) <= MOST_DOUBTS}
    return good or {record.track_id for record in records}


def _doubts(record: TrackRecord, longest: int) -> int:
    measures = (
        (record.confidences / record.num_detections, CONFIDENCE),
        (record.relative_sizes / record.num_detections, RELATIVE_SIZE),
        (record.num_detections / longest, LENGTH),
    )
    return sum(value < limit for value, limits in measures for limit in limits)


def overlap(box: Box, other: Box) -> float:
    """Intersection over union."""
    across = max(min(box[2], other[2]) - max(box[0], other[0]), 0.0)
    down = max(min(box[3], other[3]) - max(box[1], other[1]), 0.0)
    areas = ((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (box, other))
    return across * down / (sum(areas) - across * down)
