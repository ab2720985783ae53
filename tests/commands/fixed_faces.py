"""A stand-in for the face networks, for tests of everything around them: faces where the test says."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.extraction.video import extract_video
from deepfake_ssat.records import FaceClip, Status

FRAMES, SIZE = 4, 16
SETTINGS = ExtractionSettings(frames=FRAMES, crop_size=SIZE)


@dataclass
class FixedExtraction:
    """Cuts the boxes out of each frame; the clips of several faces interleave."""

    reader: object
    boxes: dict[int, tuple[int, int, int, int]]
    missing: frozenset[int]
    seconds_per_clip: float
    clips: int | None = None
    status: Status = Status.TOO_SHORT
    detail: str = "fewer frames than a clip"
    num_frames: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def counting_tracks(self):
        return set(self.boxes)

    def __iter__(self):
        frames, given = [], 0
        for frame in self.reader:
            self.num_frames = frame.index + 1
            if frame.index in self.missing or given == self.clips:
                frames = []
                continue
            frames.append((frame.index, frame.seconds, frame.rgb()))
            if len(frames) == FRAMES:
                yield from self._clips(frames)
                frames, given = [], given + 1

    def _clips(self, frames):
        time.sleep(self.seconds_per_clip)
        self.status, self.detail = Status.SCORED, ""
        indices, seconds, pictures = zip(*frames, strict=True)
        for track, (x, y, x1, y1) in self.boxes.items():
            yield FaceClip(
                pixels=np.stack([picture[y : y + SIZE, x : x + SIZE] for picture in pictures]),
                frame_indices=np.array(indices),
                seconds=np.array(seconds),
                track_id=track,
                boxes=np.tile(np.array([x, y, x1, y1], dtype=float), (FRAMES, 1)),
                landmarks=np.zeros((FRAMES, 5, 2)),
            )


@dataclass
class FixedExtractor:
    """Has the one method of ``FaceExtractor`` that preprocess uses."""

    boxes: dict[int, tuple[int, int, int, int]]
    missing: frozenset[int] = frozenset()
    seconds_per_clip: float = 0.0

    def extract(self, reader, clips=None):
        return FixedExtraction(reader, self.boxes, self.missing, self.seconds_per_clip, clips)


@dataclass(frozen=True)
class PrepareFixed:
    """Takes the place of ``PrepareExtraction``: two faces; a file named ``killer`` kills its process.

    One named ``once`` does so the first time, half done, and leaves a note beside the output folder.
    """

    settings: ExtractionSettings
    device: str
    clips: int | None = None

    def __call__(self):
        extractor = FixedExtractor({0: (0, 0, 16, 16), 1: (24, 8, 40, 24)}, seconds_per_clip=0.03)

        def work(task):
            if task.path.stem == "killer":
                os.kill(os.getpid(), signal.SIGKILL)
            if task.path.stem == "once" and not (note := task.staging.parents[2] / "died").exists():
                note.touch()
                task.staging.mkdir(parents=True)
                (task.staging / "track000_00.mp4.part").write_bytes(b"half")
                os.kill(os.getpid(), signal.SIGKILL)
            if task.path.stem == "bug":
                raise KeyError("a bug")
            return extract_video(task, extractor, self.settings, self.clips)

        return work
