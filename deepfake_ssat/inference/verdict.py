"""From the scores of a video's clips to its verdict, or to the reason why there is none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from deepfake_ssat.models.decision import SMALL_FACE, AggregationPolicy, Decision
from deepfake_ssat.records import (
    Box,
    ClipScore,
    FaceClip,
    FaceVerdict,
    Status,
    Verdict,
    VideoMetadata,
    VideoVerdict,
    counting_faces,
    longer_side,
)

FEW_CLIPS = 2
"""A face judged on fewer clips than this is warned about."""


class VideoScores:
    """What is kept of a video while its clips stream by: O(clips) numbers, no pixels."""

    def __init__(self) -> None:
        self.clips: list[ClipScore] = []
        self._box_sums: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(4))
        self._num_frames: dict[int, int] = defaultdict(int)

    def add(self, clip: FaceClip, probability: float) -> ClipScore:
        """One more clip with its probability of fake; returns it with its place in the video."""
        score = ClipScore(clip.track_id, float(clip.seconds[0]), float(clip.seconds[-1]), probability)
        self.clips.append(score)
        self._box_sums[clip.track_id] += clip.boxes.sum(axis=0)
        self._num_frames[clip.track_id] += len(clip.boxes)
        return score

    @property
    def boxes(self) -> dict[int, Box]:
        """By track, the mean over all analysed frames."""
        found: dict[int, Box] = {}
        for track, sums in self._box_sums.items():
            x0, y0, x1, y1 = (sums / self._num_frames[track]).tolist()
            found[track] = (x0, y0, x1, y1)
        return found


def scored_verdict(
    path: str,
    clips: Iterable[ClipScore],
    boxes: Mapping[int, Box],
    policy: AggregationPolicy,
    decision: Decision | None,
    warnings: Iterable[str] = (),
    metadata: VideoMetadata | None = None,
) -> VideoVerdict:
    """The verdict of a video with at least one scored clip; ``boxes`` are its faces', by track.

    Without a decision, as where none was made for scores that are put together by this policy, there is a
    probability and no verdict.
    """
    ordered = sorted(clips, key=lambda clip: (clip.start_seconds, clip.track_id))
    faces = tuple(
        _face(track, [clip for clip in ordered if clip.track_id == track], boxes[track], probability, policy)
        for track, probability in policy.face_probabilities(ordered).items()
    )
    counting = {face.track_id: face.probability for face in counting_faces(faces)}
    probability = policy.video_probability(counting.values())
    decided_by = policy.deciding_track(counting)
    is_still = metadata is not None and metadata.is_still
    is_unclear = all(face.is_too_small for face in faces)
    verdict = None if decision is None else Verdict.UNCERTAIN if is_unclear else decision.verdict(probability)
    return VideoVerdict(
        path=path,
        status=Status.SCORED,
        probability=probability,
        verdict=verdict,
        faces=faces,
        clips=tuple(ordered),
        warnings=tuple(dict.fromkeys([*warnings, *doubts(faces, decided_by, is_still)])),
        metadata=metadata,
        decided_by=decided_by,
    )


def _face(
    track: int, clips: Sequence[ClipScore], box: Box, probability: float, policy: AggregationPolicy
) -> FaceVerdict:
    return FaceVerdict(
        track_id=track,
        start_seconds=min(clip.start_seconds for clip in clips),
        end_seconds=max(clip.end_seconds for clip in clips),
        box=box,
        probability=probability,
        num_clips=len(clips),
        is_too_small=policy.is_too_small(box),
    )


def doubts(faces: Sequence[FaceVerdict], decided_by: int | None, is_still: bool) -> list[str]:
    """Why a score may deserve less trust than its number says; a still picture is one clip."""
    found = []
    beside_larger = len(counting_faces(faces)) < len(faces)
    if len(faces) > 1:
        of_them = "the larger ones" if beside_larger else "them"
        highest = f"the highest of {of_them}, that of face {decided_by}"
        how = "the mean over them" if decided_by is None else highest
        found.append(f"{len(faces)} faces were judged; the video's probability is {how}")
    for face in faces:
        if (side := longer_side(face.box)) < SMALL_FACE:
            told = f"face {face.track_id} is small ({int(side)} px): "
            found.append(told + _of_a_small_one(face.is_too_small, beside_larger))
        if face.num_clips < FEW_CLIPS and not is_still:
            found.append(f"face {face.track_id} was judged on {face.num_clips} clip only")
    return found


def _of_a_small_one(is_too_small: bool, beside_larger: bool) -> str:
    if not is_too_small:
        return "its score is less certain"
    if beside_larger:
        return "it does not decide beside larger ones"
    return f"scores of faces under {SMALL_FACE:g} px tell little, so nothing is claimed"


def renamed(verdict: VideoVerdict, name: str) -> VideoVerdict:
    """The verdict of a copy under the name that its sender gives it; the date of the file is the copy's."""
    warnings = tuple(warning.replace(verdict.path, name) for warning in verdict.warnings)
    file = replace(verdict.file, modified=None) if verdict.file else None
    return replace(verdict, path=name, warnings=warnings, file=file)


def unscored_verdict(
    path: str, status: Status, warnings: Iterable[str], metadata: VideoMetadata | None = None
) -> VideoVerdict:
    """A video without a score; the warnings tell why."""
    return VideoVerdict(path, status, warnings=tuple(dict.fromkeys(warnings)), metadata=metadata)
