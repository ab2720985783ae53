"""Faces and scores over time, as the page draws them over the playing video; of a picture at second 0.

Boxes are parts of the picture as a player shows it: left, top, right, bottom, each in [0, 1].
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import Box, ClipScore, FaceClip, VideoMetadata

BOX_SECONDS = 0.12
"""Boxes closer in time than this are left out: the page draws between them."""


class Timeline:
    """Collects what the detector looks at while it works."""

    def __init__(self) -> None:
        self._faces: dict[int, dict[str, list[list[float]]]] = {}

    def note(self, clip: FaceClip, score: ClipScore) -> None:
        """One more clip was scored; clips of one face come in the order of time."""
        face = self._faces.setdefault(clip.track_id, {"boxes": [], "clips": []})
        face["clips"].append([score.start_seconds, score.end_seconds, score.probability])
        last = face["boxes"][-1][0] if face["boxes"] else float("-inf")
        for seconds, box in zip(clip.seconds.tolist(), clip.boxes.tolist(), strict=True):
            if seconds - last >= BOX_SECONDS:
                face["boxes"].append([seconds, *box])
                last = seconds

    def document(self, metadata: VideoMetadata, decision: Decision, faces: Collection[int]) -> dict[str, Any]:
        """JSON values of the tracks that count: seconds to the millisecond, the rest to four digits."""
        return {
            "is_still": metadata.is_still,
            "uncertain_low": decision.uncertain_low,
            "threshold": decision.threshold,
            "faces": [
                {
                    "track_id": track_id,
                    "boxes": [
                        [round(seconds, 3), *_part_of_picture((left, top, right, bottom), metadata)]
                        for seconds, left, top, right, bottom in face["boxes"]
                    ],
                    "clips": [
                        [round(start, 3), round(end, 3), round(probability, 4)]
                        for start, end, probability in face["clips"]
                    ],
                }
                for track_id, face in sorted(self._faces.items())
                if track_id in faces
            ],
        }


def _part_of_picture(box: Box, metadata: VideoMetadata) -> list[float]:
    """The box where a player shows it, which does not know of a turn that no tag asks for."""
    left, right = box[0] / metadata.width, box[2] / metadata.width
    top, bottom = box[1] / metadata.height, box[3] / metadata.height
    if metadata.untagged_turn == 90:
        left, top, right, bottom = top, 1 - right, bottom, 1 - left
    elif metadata.untagged_turn == 180:
        left, top, right, bottom = 1 - right, 1 - bottom, 1 - left, 1 - top
    elif metadata.untagged_turn == 270:
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return [round(value, 4) for value in (left, top, right, bottom)]
