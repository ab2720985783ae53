"""What a worker process does to one video: faces out of frames, crops into clip files."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepfake_ssat.clips.landmarks import write_landmarks
from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import VideoError
from deepfake_ssat.extraction.journal import ClipFile, Extraction
from deepfake_ssat.extraction.masks import AtHand, TrackPlaces, find_changed
from deepfake_ssat.faces.stills import of_one_frame
from deepfake_ssat.outputs import room_needed
from deepfake_ssat.records import FaceClip, Status
from deepfake_ssat.video import VideoReader
from deepfake_ssat.video.frame_folder import open_video_or_frames
from deepfake_ssat.video.mirror import Mirror
from deepfake_ssat.video.picture import PictureReader

if TYPE_CHECKING:
    from deepfake_ssat.faces.extract import FaceExtractor

MIN_FPS, MAX_FPS = 0.1, 240.0
"""A damaged header can claim any rate; it only sets how fast a player shows the clip file."""
MAX_OPEN_FILES = 32
"""Clip files written at once in a crowd; the least recently written one is closed, and its track goes on in
another part."""


@dataclass(frozen=True)
class Task:
    """One video for a worker."""

    path: Path
    staging: Path
    """An own folder for its clip files."""
    mask_path: Path | None = None
    original_path: Path | None = None
    is_picture: bool = False
    mirror: Mirror | None = None
    """The paths stand for what is to be brought from an object store."""

    @property
    def at_hand(self) -> AtHand:
        """Of each of the paths, the file itself."""
        return self.mirror.at_hand if self.mirror else nullcontext


@dataclass(frozen=True)
class PrepareExtraction:
    """Called once in each worker: loads the networks, gives the function of one video."""

    settings: ExtractionSettings
    device: str
    clips: int | None = None
    """Of each video, as ``FaceExtractor.extract`` takes them: so many spread over it, or all."""

    def __call__(self) -> Callable[[Task], Extraction]:
        """One thread per process: the processes are the parallelism."""
        import cv2
        import torch

        from deepfake_ssat.faces.extract import FaceExtractor

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        of_videos = FaceExtractor(self.settings, device=self.device)
        of_pictures = FaceExtractor(of_one_frame(self.settings), device=self.device)

        def extract(task: Task) -> Extraction:
            if task.is_picture:
                return extract_picture(task, of_pictures)
            return extract_video(task, of_videos, self.settings, self.clips)

        return extract


def extract_video(
    task: Task,
    extractor: FaceExtractor,
    settings: ExtractionSettings,
    clips: int | None = None,
) -> Extraction:
    """Writes the clip files of one video into its staging folder; an unreadable video is a result."""
    return _read_and_extract(task, open_video_or_frames, extractor, settings, clips)


def extract_picture(task: Task, extractor: FaceExtractor) -> Extraction:
    """The same for a still picture: clip files of one frame."""
    return _read_and_extract(task, PictureReader, extractor, extractor.settings)


def _read_and_extract(
    task: Task,
    open_reader: Callable[[Path], VideoReader],
    extractor: FaceExtractor,
    settings: ExtractionSettings,
    clips: int | None = None,
) -> Extraction:
    started = time.process_time()
    try:
        with (
            task.at_hand(task.path) as here,
            room_needed(task.staging.parent.parent),
            open_reader(here) as reader,
        ):
            extraction = _extract(replace(task, path=here), reader, extractor, settings, clips)
    except VideoError as error:
        extraction = Extraction(Status.UNREADABLE, str(error))
    return replace(extraction, cpu_seconds=time.process_time() - started)


def _extract(
    task: Task,
    reader: VideoReader,
    extractor: FaceExtractor,
    settings: ExtractionSettings,
    num_clips: int | None,
) -> Extraction:
    """The clips of the tracks that count; of a fake whose changed face is known, only those of that face."""
    warnings: list[str] = []
    metadata = reader.metadata
    faces = TrackPlaces(metadata.width, metadata.height)
    fps = min(max(metadata.fps, MIN_FPS), MAX_FPS)
    writer = TrackWriter(task.staging, fps / settings.frame_stride, settings.frame_stride, settings.clip_crf)
    with writer:
        extraction = extractor.extract(reader, num_clips)
        for clip in extraction:
            writer.write(clip)
            faces.add(clip)
    status, detail, kept = extraction.status, extraction.detail, extraction.counting_tracks
    faces.keep(kept)
    evidence = task.mask_path, task.original_path
    changed = find_changed(faces, task.path, *evidence, warnings, task.at_hand)
    if kept and changed is not None:
        kept &= changed
        if not kept:
            status, detail = Status.NO_FACE, "no face lies under the bright region of the mask"
    stored = sorted(writer.stored, key=lambda clip: clip.file)
    return Extraction(
        status=status,
        detail=detail,
        clips=tuple(clip for clip in stored if clip.track_id in kept),
        left_out=tuple(clip for clip in stored if clip.track_id not in kept),
        is_changed_known=changed is not None,
        warnings=tuple(dict.fromkeys([*reader.warnings, *extraction.warnings, *warnings])),
        num_frames=extraction.num_frames,
        video_seconds=round(extraction.num_frames / fps, 3),
    )


@dataclass
class _OpenFile:
    """A clip file being written, and what its manifest row will say."""

    writer: ClipWriter
    name: str
    track_id: int
    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)

    def stored(self) -> ClipFile:
        x0, y0, x1, y1 = np.concatenate(self.boxes).mean(axis=0).tolist()
        return ClipFile(
            file=self.name,
            track_id=self.track_id,
            first_frame=self.frames[0],
            num_frames=len(self.frames),
            start_seconds=round(self.seconds[0], 4),
            end_seconds=round(self.seconds[-1], 4),
            box=(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)),
            face_size=round(max(x1 - x0, y1 - y0), 2),
        )


class TrackWriter:
    """Appends each track's clips to one file ``trackNNN_PP.mp4``, its landmarks beside it.

    A gap in the true frame indices starts part PP + 1. A context manager: leaving it finishes all files;
    an exception leaves none.
    """

    def __init__(self, folder: Path, fps: float, stride: int, crf: int = 0) -> None:
        self.stored: list[ClipFile] = []
        """Finished files; complete after leaving the context."""
        self._folder = folder
        self._fps = fps
        self._stride = stride
        self._crf = crf
        self._open: dict[int, _OpenFile] = {}
        """By track, the least recently written first."""
        self._parts: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> TrackWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        for file in list(self._open.values()):
            if kind is None:
                self._finish(file)
            else:
                file.writer.__exit__(kind, error, trace)  # pyright: ignore[reportArgumentType]

    def write(self, clip: FaceClip) -> None:
        """Appends to the track's file if the clip's frames follow on, else to the next part."""
        file = self._open.pop(clip.track_id, None)
        if file is not None and int(clip.frame_indices[0]) != file.frames[-1] + self._stride:
            self._finish(file)
            file = None
        if file is None:
            if len(self._open) >= MAX_OPEN_FILES:
                self._finish(self._open.pop(next(iter(self._open))))
            file = self._start(clip.track_id)
        file.writer.write(clip.pixels)
        file.frames += clip.frame_indices.tolist()
        file.seconds += clip.seconds.tolist()
        file.boxes.append(clip.boxes)
        file.landmarks.append(clip.landmarks)
        self._open[clip.track_id] = file

    def _start(self, track_id: int) -> _OpenFile:
        part = self._parts.get(track_id, 0)
        self._parts[track_id] = part + 1
        name = f"track{track_id:03d}_{part:02d}.mp4"
        return _OpenFile(ClipWriter(self._folder / name, self._fps, self._crf), name, track_id)

    def _finish(self, file: _OpenFile) -> None:
        file.writer.close()
        write_landmarks(file.writer.path, np.concatenate(file.landmarks))
        self.stored.append(file.stored())
