"""What ``preprocess`` shows at its end: the account of everything, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deepfake_ssat.corpora import LeftOut
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

    def lines(self, frames: int) -> list[str]:
        """The account as text, one figure a line."""
        dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(self.dropped.items()))
        lines = [
            f"videos       {self.videos} ({self.done_before} done before)",
            f"tracks       {self.tracks}",
            f"clip files   {self.clip_files}",
            f"clips        {self.clips} of {frames} frames",
            f"dropped      {sum(self.dropped.values())}" + (f" ({dropped})" if dropped else ""),
            f"warnings     {self.warnings}",
            f"seconds      {self.seconds:.1f} ({self.cpu_seconds:.1f} CPU-seconds in the workers)",
            f"bytes        {self.clip_bytes}",
        ]
        if self.video_seconds:
            lines.append(f"bytes        {60 * self.clip_bytes / self.video_seconds:.0f} per minute of video")
        if self.new_video_seconds:
            rate = 60 * self.cpu_seconds / self.new_video_seconds
            lines.append(f"CPU-seconds  {rate:.1f} per minute of video")
        if self.failed:
            lines.append(f"failed       {self.failed} videos, see dropped.csv; the next run tries them again")
        return lines


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


def left_out_lines(left_out: Iterable[LeftOut]) -> list[str]:
    """One line for each reason, with a count and the first names."""
    names: dict[str, list[str]] = {}
    for item in left_out:
        names.setdefault(item.reason, []).append(item.name)
    return [
        f"left out: {len(group)} × {reason} ({', '.join(group[:3])}{', …' if len(group) > 3 else ''})"
        for reason, group in names.items()
    ]
