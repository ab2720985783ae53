"""Where a video was searched, and every face that was found there, whether a clip holds it or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deepfake_ssat.faces.scan import Sighting
from deepfake_ssat.records import Box
from deepfake_ssat.video import VideoFrame


class SearchLog:
    """Filled while a video streams by: numbers, no pixels."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything: the video is searched again."""
        self.stretches: list[tuple[int, int]] = []
        """True indices of the first and the last frame of each stretch, in order."""
        self.boxes: dict[int, list[tuple[int, Box]]] = {}
        """By true frame index, each face's track and box; frames without a face are missing."""

    def watched(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames on their way to the search."""
        for frame in frames:
            if self.stretches and frame.index == self.stretches[-1][1] + 1:
                self.stretches[-1] = self.stretches[-1][0], frame.index
            else:
                self.stretches.append((frame.index, frame.index))
            yield frame

    def note(self, sightings: Iterable[Sighting]) -> None:
        """The faces of one frame."""
        for sighting in sightings:
            left, top, right, bottom = sighting.box.tolist()
            faces = self.boxes.setdefault(sighting.frame_index, [])
            faces.append((sighting.track_id, (left, top, right, bottom)))
