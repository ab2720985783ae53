"""The figures of a run of ``preprocess``, added up from the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deepfake_ssat.extraction.journal import Entry
from deepfake_ssat.records import Status


@dataclass(frozen=True)
class Account:
    """The figures of one run and of the videos it was asked for."""

    videos: int
    done_before: int
    """Of them, those that an earlier run had finished."""
    tracks: int
    clip_files: int
    clips: int
    """Whole clips of the contract's length."""
    dropped: dict[str, int]
    """By reason; only reasons that occurred."""
    failed: int
    """Of the dropped, those whose process died or met a bug: tried again by the next run."""
    warnings: int
    clip_bytes: int
    video_seconds: float
    seconds: float
    """Of this run, by the wall clock."""
    cpu_seconds: float
    """Of this run, in the worker processes."""
    new_video_seconds: float
    """Length of the videos of this run."""


def make_account(
    entries: Sequence[Entry], new: Sequence[Entry], clip_bytes: int, seconds: float, frames: int
) -> Account:
    """Adds up the entries of the selected videos, ``new`` being those of this run."""
    clips = [clip for entry in entries for clip in entry.extraction.clips]
    reasons = Counter(
        entry.extraction.status.value for entry in entries if entry.extraction.status is not Status.SCORED
    )
    return Account(
        videos=len(entries),
        done_before=len(entries) - len(new),
        tracks=sum(len({clip.track_id for clip in entry.extraction.clips}) for entry in entries),
        clip_files=len(clips),
        clips=sum(clip.num_frames // frames for clip in clips),
        dropped=dict(reasons),
        failed=sum(entry.failed for entry in entries),
        warnings=sum(len(entry.extraction.warnings) for entry in entries),
        clip_bytes=clip_bytes,
        video_seconds=sum(entry.extraction.video_seconds for entry in entries),
        seconds=seconds,
        cpu_seconds=sum(entry.extraction.cpu_seconds for entry in new),
        new_video_seconds=sum(entry.extraction.video_seconds for entry in new),
    )
