"""Judges a source video, perturbed before faces are looked for, on the faces that its manifest has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.errors import VideoError
from deepfake_ssat.faces.choice import SAME_FACE, overlap
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.inference.verdict import scored_verdict, unscored_verdict
from deepfake_ssat.records import FAKE, ClipScore, FaceClip, ManifestRow, Status, VideoVerdict
from deepfake_ssat.video import VideoReader, open_video
from deepfake_ssat.video.perturbation import Perturbation, PerturbedReader, generator_for


@dataclass(frozen=True)
class SourceTask:
    """One video to be judged, under one perturbation or none."""

    path: Path
    rows: tuple[ManifestRow, ...]
    """The manifest's, of this video."""
    perturbation: Perturbation | None
    seed: int


def judge_source(detector: Detector, task: SourceTask) -> VideoVerdict:
    """The verdict on the manifest's faces; a video without a score has the reason as its first warning."""
    places: dict[int, list[FacePlace]] = defaultdict(list)

    def note(clip: FaceClip, _: ClipScore) -> None:
        first, last = int(clip.frame_indices[0]), int(clip.frame_indices[-1])
        places[clip.track_id].append(FacePlace(first, last, clip.boxes.mean(axis=0)))

    name = str(task.path)
    try:
        with open_video(task.path) as plain:
            verdict = detector.judge(name, _perturbed(plain, task), on_clip=note)
    except VideoError as error:
        return unscored_verdict(name, Status.UNREADABLE, [str(error)])
    if verdict.status is not Status.SCORED or task.rows[0].label != FAKE:
        return verdict
    kept = tracks_of_rows(places, task.rows)
    if not kept:
        return unscored_verdict(name, Status.NO_FACE, ["no face was found where the manifest has one"])
    decision = detector.checkpoint.decision
    clips = [clip for clip in verdict.clips if clip.track_id in kept]
    boxes = {face.track_id: face.box for face in verdict.faces}
    return scored_verdict(name, clips, boxes, decision.aggregation, decision)


def _perturbed(plain: VideoReader, task: SourceTask) -> VideoReader:
    if task.perturbation is None:
        return plain
    row = task.rows[0]
    generator = generator_for(task.seed, task.perturbation, row.corpus, row.video_id)
    return PerturbedReader(plain, task.perturbation, generator)


@dataclass(frozen=True)
class FacePlace:
    """Where a track's face is over the frames of one clip."""

    first_frame: int
    last_frame: int
    box: np.ndarray
    """(4,): the mean."""


def tracks_of_rows(places: dict[int, list[FacePlace]], rows: Sequence[ManifestRow]) -> set[int]:
    """The tracks that lie where the manifest has a face.

    Of a fake that shows several people, preprocess keeps the changed face only; the others are genuine.
    """
    return {track for track, found in places.items() if any(_is_at(found, row) for row in rows)}


def _is_at(places: Iterable[FacePlace], row: ManifestRow) -> bool:
    end = row.first_frame + row.num_frames * row.frame_stride
    shared = [
        place.box for place in places if place.first_frame < end and place.last_frame >= row.first_frame
    ]
    return bool(shared) and overlap(tuple(np.mean(shared, axis=0).tolist()), row.box) >= SAME_FACE
