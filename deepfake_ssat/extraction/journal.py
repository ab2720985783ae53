"""The journal of ``preprocess``: one JSON file per finished video, so that a killed run goes on where it was.

Layout of an output folder: ``videos/<corpus>/<video_id>.json`` (the journal), ``clips/<corpus>/<video_id>/``
(clip files and their landmarks), ``.staging/`` (work in progress, worthless after a crash). An entry is
written after its clip files lie in place, and it holds nothing that varies from run to run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deepfake_ssat.clips.landmarks import LANDMARKS_SUFFIX, landmarks_path
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import VideoWarning, dropped_video, video_columns
from deepfake_ssat.outputs import write_file, writing
from deepfake_ssat.records import Box, DroppedVideo, ManifestRow, SourceVideo, Status
from deepfake_ssat.text import parse_json

JOURNAL_FOLDER = "videos"
CLIPS_FOLDER = "clips"
STAGING_FOLDER = ".staging"
CHOICE = 1
"""Raised when ``faces.choice`` or ``masks`` choose other faces of the same video; 0: before it was noted."""


@dataclass(frozen=True)
class ClipFile:
    """One clip file of a video: consecutive crops of one face track."""

    file: str
    """The file's name within the video's clip folder."""
    track_id: int
    first_frame: int
    num_frames: int
    start_seconds: float
    end_seconds: float
    box: Box
    face_size: float


@dataclass(frozen=True)
class Extraction:
    """What extracting one video gave."""

    status: Status
    detail: str
    clips: tuple[ClipFile, ...] = ()
    left_out: tuple[ClipFile, ...] = ()
    """Of tracks that do not count as faces, or that a fake shows unchanged; the files are gone."""
    is_changed_known: bool = False
    """Whether a mask or the original told which faces of a fake were changed."""
    warnings: tuple[str, ...] = ()
    num_frames: int = 0
    video_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of this run; not stored."""


@dataclass(frozen=True)
class Entry:
    """A video, the state of its files when it was read, and what came of it."""

    video: SourceVideo
    """Its paths are not stored: a data set may be moved."""
    source: str
    """The video file, relative to the corpus root."""
    fingerprint: tuple[int, ...]
    """Size and time of change of the video, its mask and its original, as far as it has them."""
    extraction: Extraction
    failed: bool = False
    """The process died or a bug raised: the next run tries again."""
    budget: int | None = None
    """So many clips spread over the video were asked for; None: all."""
    choice: int = CHOICE
    """The version of the rules that chose among the faces."""

    def manifest_rows(self, contract: ExtractionSettings) -> Iterator[ManifestRow]:
        """One row for each clip file."""
        video, contract_hash = self.video, contract.hash()
        for clip in self.extraction.clips:
            yield ManifestRow(
                **video_columns(video),
                source=self.source,
                clip_file=f"{CLIPS_FOLDER}/{video.corpus}/{video.video_id}/{clip.file}",
                track_id=clip.track_id,
                first_frame=clip.first_frame,
                frame_stride=contract.frame_stride,
                num_frames=clip.num_frames,
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
                box=clip.box,
                face_size=clip.face_size,
                contract_hash=contract_hash,
            )

    def dropped(self) -> DroppedVideo | None:
        """The ledger's line, for a video that gave no clip."""
        if self.extraction.status is Status.SCORED:
            return None
        return dropped_video(self.video, self.source, self.extraction.status, self.extraction.detail)

    def warnings(self) -> Iterator[VideoWarning]:
        """What to know about a video that was used all the same."""
        for warning in self.extraction.warnings:
            yield VideoWarning(self.video.corpus, self.video.video_id, warning)


def fingerprint(video: SourceVideo) -> tuple[int, ...]:
    """Size and time of change of each file that decides the clips: if one changes, they are made anew."""
    files = [path for path in (video.path, video.mask_path, video.original_path) if path is not None]
    return tuple(value for file in files for value in _state(file))


def _state(file: Path) -> tuple[int, int]:
    """Of a folder of frames: of all its files together; -1 of what is not there, or may not be read."""
    if not os.access(file, os.R_OK):
        return -1, -1
    try:
        states = [path.stat() for path in (file.iterdir() if file.is_dir() else [file])]
    except OSError:  # It went meanwhile, or one of its frames did.
        return -1, -1
    return sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=-1)


@dataclass(frozen=True)
class Journal:
    """The finished videos of one output folder; the caller holds the folder's lock."""

    folder: Path
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """By corpus and video id."""

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Reads all entries and removes what a killed run left behind."""
        shutil.rmtree(folder / STAGING_FOLDER, ignore_errors=True)
        entries = {}
        for path in sorted(_files(folder / JOURNAL_FOLDER, ".json")):
            if path.name.startswith("._"):  # macOS puts them beside the files of other systems.
                continue
            entry = _read_entry(path)
            entries[entry.video.corpus, entry.video.video_id] = entry
        journal = cls(folder, entries)
        journal._remove_orphans()
        return journal

    def find(self, video: SourceVideo, budget: int | None) -> Entry | None:
        """The entry of a video that need not be extracted again, with its present label and split."""
        entry = self.entries.get((video.corpus, video.video_id))
        if entry is None or entry.failed or entry.budget != budget:
            return None
        if entry.fingerprint != fingerprint(video):
            return None
        if self._is_outdated(entry):
            return None
        current = replace(entry, video=video)
        if _entry_bytes(current) != _entry_bytes(entry):
            self.store(current)
        return current

    def staging(self, number: int) -> Path:
        """Where the clip files of one video are made."""
        return self.folder / STAGING_FOLDER / str(number)

    def store(self, entry: Entry, staging: Path | None = None) -> None:
        """Moves the clip files from staging into place, then writes the entry."""
        if staging is not None:
            with writing(self.folder):
                self._take_in(entry, staging)
        write_file(self._path(entry), _entry_bytes(entry))
        self.entries[entry.video.corpus, entry.video.video_id] = entry

    def _take_in(self, entry: Entry, staging: Path) -> None:
        """The clip files, in place of those that were there."""
        clips = self._clips(entry)
        self._path(entry).unlink(missing_ok=True)
        for old in [*clips.glob("*.mp4"), *clips.glob(f"*{LANDMARKS_SUFFIX}")]:
            old.unlink()
        if entry.extraction.clips:
            clips.mkdir(parents=True, exist_ok=True)
        for clip in entry.extraction.clips:
            for file in (staging / clip.file, landmarks_path(staging / clip.file)):
                os.replace(file, clips / file.name)
        shutil.rmtree(staging, ignore_errors=True)

    def close(self) -> None:
        """Removes the staging folder."""
        shutil.rmtree(self.folder / STAGING_FOLDER, ignore_errors=True)

    def outdated(self, videos: Iterable[SourceVideo]) -> int:
        """How many of the videos were done by a version that stored less or chose other faces."""
        entries = (self.entries.get((video.corpus, video.video_id)) for video in videos)
        return sum(entry is not None and self._is_outdated(entry) for entry in entries)

    def clip_bytes(self, entry: Entry) -> int:
        """Size on disk of a video's clip files."""
        clips = self._clips(entry)
        return sum((clips / clip.file).stat().st_size for clip in entry.extraction.clips)

    def _clips(self, entry: Entry) -> Path:
        return self.folder / CLIPS_FOLDER / entry.video.corpus / entry.video.video_id

    def _is_outdated(self, entry: Entry) -> bool:
        clips = self._clips(entry)
        has_landmarks = all(landmarks_path(clips / clip.file).is_file() for clip in entry.extraction.clips)
        return entry.choice != CHOICE or not has_landmarks

    def _path(self, entry: Entry) -> Path:
        return self.folder / JOURNAL_FOLDER / entry.video.corpus / f"{entry.video.video_id}.json"

    def _remove_orphans(self) -> None:
        """Clip files without an entry (the run was killed between the two), entries without files."""
        clips = self.folder / CLIPS_FOLDER
        listed = {
            self._clips(entry) / clip.file: key
            for key, entry in self.entries.items()
            for clip in entry.extraction.clips
        }
        present = _files(clips, ".mp4")
        for orphan in present - listed.keys():
            orphan.unlink()
        for orphan in _files(clips, LANDMARKS_SUFFIX) - {landmarks_path(file) for file in listed}:
            orphan.unlink()
        for file in listed.keys() - present:
            self.entries.pop(listed[file], None)
        for partial in _files(clips, ".partial") | _files(self.folder / JOURNAL_FOLDER, ".partial"):
            partial.unlink()


def _files(folder: Path, ending: str) -> set[Path]:
    """Those below a folder, whose own folders may be called like files: they are named after videos."""
    return {
        Path(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(ending)
    }


def _entry_bytes(entry: Entry) -> bytes:
    extraction = asdict(entry.extraction)
    del extraction["cpu_seconds"]
    video = asdict(entry.video)
    del video["path"], video["mask_path"], video["original_path"]
    values = {
        "video": video,
        "source": entry.source,
        "fingerprint": entry.fingerprint,
        "failed": entry.failed,
        "extraction": extraction,
    }
    if entry.budget is not None:
        values["budget"] = entry.budget
    values["choice"] = entry.choice
    return (json.dumps(values, indent=1) + "\n").encode()


def _read_entry(path: Path) -> Entry:
    try:
        values: dict[str, Any] = parse_json(path.read_bytes())
        video = values["video"]
        video["identities"] = tuple(video["identities"])
        extraction = values["extraction"]
        extraction["status"] = Status(extraction["status"])
        extraction["warnings"] = tuple(extraction["warnings"])
        for part in ("clips", "left_out"):
            extraction[part] = tuple(
                ClipFile(**{**clip, "box": tuple(clip["box"])}) for clip in extraction.get(part, ())
            )
        return Entry(
            video=SourceVideo(path=Path(), **video),
            source=values["source"],
            fingerprint=tuple(values["fingerprint"]),
            extraction=Extraction(**extraction),
            failed=values["failed"],
            budget=values.get("budget"),
            choice=values.get("choice", 0),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"{path}: damaged journal entry ({error}); delete it and run again") from error
