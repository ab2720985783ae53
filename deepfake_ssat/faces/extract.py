"""From a video to face clips: the one path that preprocess and detect share."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.assemble import ClipAssembler
from deepfake_ssat.faces.choice import tracks_that_count
from deepfake_ssat.faces.mtcnn import FaceDetector
from deepfake_ssat.faces.scan import FaceScanner, Sighting
from deepfake_ssat.faces.searched import SearchLog
from deepfake_ssat.faces.windows import frames_in_windows, window_starts
from deepfake_ssat.records import FaceClip, Status
from deepfake_ssat.video import VideoFrame, VideoReader

MAX_DETECTORS = 4
"""Kept for sources of other sizes; thousands of photos of all sizes must not fill the memory."""


class FaceExtractor:
    """Holds the face networks; use it for any number of videos, from one thread at a time."""

    def __init__(self, settings: ExtractionSettings, device: str | torch.device = "cpu"):
        self.settings = settings
        self._device = device
        self._detectors: dict[float, FaceDetector] = {}

    def extract(
        self, reader: VideoReader, clips: int | None = None, log: SearchLog | None = None
    ) -> FaceExtraction:
        """The clips of every face: ``clips`` of them spread over the video, or every one (None).

        ``log`` keeps where it was searched, and the faces that were found there.
        """
        return FaceExtraction(reader, self.settings, self._detector_for(reader), clips, log)

    def _detector_for(self, reader: VideoReader) -> FaceDetector:
        """Searches shrunk frames for faces as small as the settings ask for in the video's own pixels."""
        longest = max(reader.metadata.width, reader.metadata.height)
        scale = min(1.0, self.settings.detection_side / longest)
        min_face_size = self.settings.min_face_size * scale
        if min_face_size not in self._detectors:
            if len(self._detectors) >= MAX_DETECTORS:
                self._detectors.clear()
            self._detectors[min_face_size] = FaceDetector(min_face_size, self._device)
        return self._detectors[min_face_size]


class FaceExtraction:
    """The clips of one video while it streams by; afterwards, what became of it."""

    def __init__(
        self,
        reader: VideoReader,
        settings: ExtractionSettings,
        detector: FaceDetector,
        clips: int | None,
        log: SearchLog | None = None,
    ):
        self.num_frames = 0
        """Decoded so far: one more than the last frame's true index."""
        self.num_clips = 0
        self._tracks: set[int] = set()
        """Those with a clip."""
        self._reader = reader
        self._settings = settings
        self._detector = detector
        self._num_windows = clips
        self._log = log
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        is_still = self._reader.metadata.is_still
        self._scanner = FaceScanner(self._settings, self._detector, is_still=is_still)
        self._assembler = ClipAssembler(self._settings)
        self._starts: list[int] | None = None
        if self._log is not None:
            self._log.clear()

    def __iter__(self) -> Iterator[FaceClip]:
        """Each clip as soon as its frames were read; read them to the end before asking for the status.

        A video that gives none, but whose frames show faces when they are turned, is read again turned;
        one that the caller turned stays as it is.
        """
        yield from self._clips()
        if self.num_clips == 0 and not self._reader.metadata.untagged_turn:
            self._turn = self._scanner.find_turn()
        if self._turn:
            self._reader.turn(self._turn)
            self._begin()
            yield from self._clips()

    def _clips(self) -> Iterator[FaceClip]:
        frames = self._counted(iter(self._reader))
        span = (self._settings.frames - 1) * self._settings.frame_stride + 1
        self._starts = self._window_starts(span)
        if self._starts is None:
            yield from self._numbered(self._scanner.scan(self._watched(frames)))
            return
        for window in frames_in_windows(frames, self._starts, span):
            yield from self._numbered(self._scanner.scan(self._watched(window), patience=None))
        for _ in frames:
            pass

    @property
    def status(self) -> Status:
        """``scored`` means here: there is something to score."""
        if self.num_clips:
            return Status.SCORED
        return Status.TOO_SHORT if self._assembler.longest_run else Status.NO_FACE

    @property
    def detail(self) -> str:
        """Why there is no clip, and what would help; empty where there are clips."""
        if self.num_clips:
            return ""
        where = (
            "" if self._starts is None else f" in the {len(self._starts)} windows looked at; try all clips"
        )
        if self._assembler.longest_run:
            needed = (self._settings.frames - 1) * self._settings.frame_stride + 1
            return (
                f"a face is in sight for at most {self._assembler.longest_run} frames in a row, "
                f"a clip needs {needed}{where}"
            )
        size = f"{self._settings.min_face_size:g}"
        return f"no face of at least {size} pixels was found in {self.num_frames} frames{where}"

    @property
    def counting_tracks(self) -> set[int]:
        """The tracks that count as the video's faces, by ``faces.choice``: no others are to be judged."""
        return tracks_that_count([self._scanner.records[track] for track in self._tracks])

    @property
    def warnings(self) -> list[str]:
        """What makes this extraction less than it should be, and what was left out of it."""
        warnings = []
        if self._turn:
            warnings.append(
                f"no face was found upright: the pictures were turned by {self._turn}° clockwise, where "
                "there are faces"
            )
        if self._starts and self.num_frames <= self._starts[-1]:
            warnings.append(
                f"the video ended after {self.num_frames} frames, before the last window that was planned"
            )
        if doubtful := len(self._tracks - self.counting_tracks):
            warnings.append(
                f"{doubtful} of {len(self._tracks)} face tracks left out: "
                "doubtful, small or brief beside others"
            )
        return warnings

    def _window_starts(self, span: int) -> list[int] | None:
        """None where everything is to be read: when asked for, or when the length is not known or small."""
        total = self._reader.metadata.num_frames
        if self._num_windows is None or total is None or total <= self._num_windows * span:
            return None
        return window_starts(total, self._num_windows, span)

    def _counted(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            self.num_frames = frame.index + 1
            yield frame

    def _watched(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        return frames if self._log is None else self._log.watched(frames)

    def _numbered(self, stretch: Iterator[list[Sighting]]) -> Iterator[FaceClip]:
        for sightings in stretch:
            if self._log is not None:
                self._log.note(sightings)
            yield from self._counted_clips(self._assembler.add(sightings))
        yield from self._counted_clips(self._assembler.end())

    def _counted_clips(self, clips: Iterator[FaceClip]) -> Iterator[FaceClip]:
        for clip in clips:
            self.num_clips += 1
            self._tracks.add(clip.track_id)
            yield clip
