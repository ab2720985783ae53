"""What ``evaluate`` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepfake_ssat.records.record import Record
from deepfake_ssat.records.verdicts import EvaluatedVideo
from deepfake_ssat.records.videos import DroppedVideo


@dataclass(frozen=True)
class Estimate(Record):
    """A metric with its 95 % interval; what is missing is None, and the note says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class EvalGroup(Record):
    """Metrics over some of the videos: all, those of a corpus and compression, or one manipulation's."""

    corpus: str
    """Empty: all; so are compression and manipulation."""
    compression: str
    manipulation: str
    """The fakes' method; they stand against all genuine videos of that corpus and compression."""
    num_real: int
    num_fake: int
    num_clips: int
    video: dict[str, Estimate]
    """By metric, over videos."""
    clip: dict[str, Estimate]
    """By metric, over single clips (or frames), each with its video's label."""


@dataclass(frozen=True)
class EvalReport(Record):
    """What ``evaluate`` found, and everything needed to find it again."""

    provenance: dict[str, Any]
    """JSON values: command, version, checkpoint, manifest, selection, rules; see docs/evaluate_report.md."""
    unit: str
    """What was scored: ``clip`` or ``frame``."""
    threshold: float | None
    """Chosen on validation videos."""
    threshold_source: str
    """Where it comes from, or why there is none."""
    groups: tuple[EvalGroup, ...]
    """All videos first."""
    videos: tuple[EvaluatedVideo, ...]
    dropped: tuple[DroppedVideo, ...]
    warnings: tuple[str, ...]
    reused: int = 0
    """Clips (or frames) that an interrupted run had scored before; no result depends on it."""

    def __repr__(self) -> str:
        everything = self.groups[0]
        counts = f"{everything.num_real} genuine and {everything.num_fake} manipulated videos"
        return f"EvalReport({counts}, {len(self.dropped)} dropped, {len(self.warnings)} warnings)"
