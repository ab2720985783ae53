"""Puts sightings together into clips: consecutive frames of one face, cut out along its smoothed path."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.crops import cut_finally, into_crop, look_ahead, smooth_squares
from deepfake_ssat.faces.scan import Sighting
from deepfake_ssat.records import FaceClip


class ClipAssembler:
    """Sightings in frame order in, clips out as soon as they are complete."""

    def __init__(self, settings: ExtractionSettings):
        self._settings = settings
        self._runs: dict[int, _Run] = {}
        self.longest_run = 0
        """Frames of the longest uninterrupted sight of one face."""

    def add(self, sightings: list[Sighting]) -> Iterator[FaceClip]:
        """The faces of the next frame; ends the runs of faces that are not among them."""
        present = {sighting.track_id for sighting in sightings}
        for track in sorted(self._runs.keys() - present):
            yield from self._end(track)
        for sighting in sightings:
            run = self._runs.get(sighting.track_id)
            if run is not None and sighting.frame_index != run.next_index:
                yield from self._end(sighting.track_id)
                run = None
            if run is None:
                run = self._runs[sighting.track_id] = _Run(self._settings)
            run.add(sighting)
            yield from run.complete(ended=False)

    def end(self) -> Iterator[FaceClip]:
        """No frame follows the last one: gives what is still waiting for its neighbours."""
        for track in sorted(self._runs):
            yield from self._end(track)

    def _end(self, track: int) -> Iterator[FaceClip]:
        run = self._runs.pop(track)
        self.longest_run = max(self.longest_run, run.length)
        yield from run.complete(ended=True)


class _Run:
    """One face over consecutive frames; holds only those that a later clip can still need."""

    def __init__(self, settings: ExtractionSettings):
        self._settings = settings
        self._span = (settings.frames - 1) * settings.frame_stride + 1
        self._reach = look_ahead(settings.smoothing_frames)
        self._sightings: list[Sighting] = []
        self._start = 0
        self.length = 0

    @property
    def next_index(self) -> int:
        """The frame that would continue this run."""
        return self._sightings[-1].frame_index + 1

    def add(self, sighting: Sighting) -> None:
        self._sightings.append(sighting)
        self.length += 1

    def complete(self, *, ended: bool) -> Iterator[FaceClip]:
        """The clips whose frames, and whose smoothing's neighbours, are all there."""
        needed = self._span if ended else self._span + self._reach
        while len(self._sightings) - self._start >= needed:
            yield self._clip()
            self._start += self._settings.frames * self._settings.frame_stride
            obsolete = min(max(self._start - self._reach, 0), len(self._sightings) - 1)
            self._sightings = self._sightings[obsolete:]
            self._start -= obsolete

    def _clip(self) -> FaceClip:
        settings = self._settings
        positions = slice(self._start, self._start + self._span, settings.frame_stride)
        chosen = self._sightings[positions]
        squares = np.stack([sighting.square for sighting in self._sightings])
        squares = smooth_squares(squares, positions, settings.smoothing_frames)
        size = settings.crop_size
        pairs = list(zip(chosen, squares, strict=True))
        return FaceClip(
            pixels=np.stack([cut_finally(sighting.loose, square, size) for sighting, square in pairs]),
            frame_indices=np.array([sighting.frame_index for sighting in chosen]),
            seconds=np.array([sighting.seconds for sighting in chosen]),
            track_id=chosen[0].track_id,
            boxes=np.stack([sighting.box for sighting in chosen]),
            landmarks=np.stack([into_crop(sighting.landmarks, square, size) for sighting, square in pairs]),
        )
