"""From the scores of a video's clips to its verdict, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from deepfake_ssat.aggregate import AggregationPolicy, aggregate_clips
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import (
    ClipScore,
    FaceClip,
    FaceVerdict,
    Status,
    VideoMetadata,
    VideoVerdict,
)

FEW_CLIPS = 2
"""A face judged on fewer clips than this is warned about."""
SMALL_FACE = 80.0
"""Pixels: faces below are enlarged almost threefold for the network, and compression has erased detail."""


@dataclass
class TrackSummary:
    """What is kept of one face while its clips stream by: O(clips) numbers, no pixels."""

    clips: list[ClipScore] = field(default_factory=list)
    box_sums: np.ndarray = field(default_factory=lambda: np.zeros(4))
    num_frames: int = 0

    def add(self, clip: FaceClip, score: ClipScore) -> None:
        """One more scored clip of this face."""
        self.clips.append(score)
        self.box_sums += clip.boxes.sum(axis=0)
        self.num_frames += len(clip.boxes)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The mean over all analysed frames."""
        x0, y0, x1, y1 = (self.box_sums / self.num_frames).tolist()
        return x0, y0, x1, y1


def clip_score(clip: FaceClip, probability: float) -> ClipScore:
    """A clip's probability of fake with its place in the video."""
    return ClipScore(clip.track_id, float(clip.seconds[0]), float(clip.seconds[-1]), probability)


def scored_verdict(
    path: str,
    tracks: dict[int, TrackSummary],
    decision: Decision,
    policy: AggregationPolicy,
    warnings: Iterable[str],
    metadata: VideoMetadata,
) -> VideoVerdict:
    """The verdict of a video with at least one scored clip."""
    clips = [score for summary in tracks.values() for score in summary.clips]
    clips.sort(key=lambda score: (score.start_seconds, score.track_id))
    probability, by_face = aggregate_clips(clips, policy)
    faces = tuple(
        FaceVerdict(
            track_id=track_id,
            start_seconds=min(score.start_seconds for score in tracks[track_id].clips),
            end_seconds=max(score.end_seconds for score in tracks[track_id].clips),
            box=tracks[track_id].box,
            probability=face_probability,
            num_clips=num_clips,
        )
        for track_id, face_probability, num_clips in sorted(by_face)
    )
    return VideoVerdict(
        path=path,
        status=Status.SCORED,
        probability=probability,
        verdict=decision.verdict(probability),
        faces=faces,
        clips=tuple(clips),
        warnings=tuple(dict.fromkeys([*warnings, *doubts(faces)])),
        metadata=metadata,
    )


def doubts(faces: Sequence[FaceVerdict]) -> list[str]:
    """Why a score may deserve less trust than its number says."""
    found = []
    if len(faces) > 1:
        found.append(f"{len(faces)} faces were judged; the video's probability is the highest of them")
    for face in faces:
        side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        if side < SMALL_FACE:
            found.append(f"face {face.track_id} is small ({side:.0f} px): its score is less certain")
        if face.num_clips < FEW_CLIPS:
            found.append(f"face {face.track_id} was judged on {face.num_clips} clip only")
    return found


def unscored_verdict(
    path: str, status: Status, warnings: Iterable[str], metadata: VideoMetadata | None = None
) -> VideoVerdict:
    """A video without a score; the warnings tell why."""
    return VideoVerdict(path, status, warnings=tuple(dict.fromkeys(warnings)), metadata=metadata)
