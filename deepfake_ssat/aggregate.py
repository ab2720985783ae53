"""From clip scores to one score per face, and from faces to one per video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.records import ClipScore

CLIP_RULES: dict[str, Callable[[Sequence[float]], float]] = {"mean": fmean, "median": median, "max": max}
FACE_RULES: dict[str, Callable[[Sequence[float]], float]] = {"max": max, "mean": fmean}


@dataclass(frozen=True)
class AggregationPolicy:
    """How scores are put together: the paper's mean over all clips, then the most suspicious face."""

    clips: str = "mean"
    faces: str = "max"

    def __post_init__(self) -> None:
        for name, rules in (("clips", CLIP_RULES), ("faces", FACE_RULES)):
            if getattr(self, name) not in rules:
                raise ConfigError(
                    f"{name} policy {getattr(self, name)!r} is not known: use {', '.join(rules)}"
                )

    def in_words(self) -> str:
        """For results: ``mean over a face's clips, max over a video's faces``."""
        return f"{self.clips} over a face's clips, {self.faces} over a video's faces"


def aggregate_clips(
    scores: Sequence[ClipScore], policy: AggregationPolicy
) -> tuple[float, tuple[tuple[int, float, int], ...]]:
    """Clip scores of one video -> its probability, and (track, probability, clips) of each face by track."""
    if not scores:
        raise ValueError("a video without clips has no score")
    by_track: dict[int, list[float]] = {}
    for score in scores:
        by_track.setdefault(score.track_id, []).append(score.probability)
    faces = tuple(
        (track, float(CLIP_RULES[policy.clips](by_track[track])), len(by_track[track]))
        for track in sorted(by_track)
    )
    return float(FACE_RULES[policy.faces]([probability for _, probability, _ in faces])), faces
