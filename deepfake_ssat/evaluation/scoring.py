"""Scores of the chosen videos' clips, those of an interrupted run included, put together by video."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.aggregate import AggregationPolicy, aggregate_clips
from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.evaluation.clip_scores import ClipScoreFile
from deepfake_ssat.evaluation.stored_clips import FRAMES_PER_FACE, StoredClip, plan_clips, score_clips
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.manifest import Manifest, people
from deepfake_ssat.records import ClipScore, ManifestRow, ScoredVideo

CLIP_SCORES_FILE = "clip_scores.csv"


def run_key(detector: Detector, manifest: Manifest) -> str:
    """16 hexadecimal digits of all that a clip's score depends on."""
    parts = [
        detector.checkpoint.hash,
        manifest.hash,
        detector.device.type,
        detector.precision,
        FRAMES_PER_FACE if detector.checkpoint.settings.frames == 1 else None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def score_rows(
    detector: Detector,
    manifest: Manifest,
    rows: Sequence[ManifestRow],
    out: Path,
    batch: int,
    policy: AggregationPolicy,
    console: Console,
) -> list[ScoredVideo]:
    """Every video of the rows with its score, in the order of the rows.

    Scores go to ``clip_scores.csv`` batch by batch; those already there are not computed again.
    """
    settings = detector.checkpoint.settings
    clips = plan_clips(rows, settings.frames)
    unit = unit_of(detector)
    with ClipScoreFile(out / CLIP_SCORES_FILE, run_key(detector, manifest)) as scores:
        missing = [clip for clip in clips if clip not in scores]
        if len(missing) < len(clips):
            console.print(f"{len(clips) - len(missing)} of {len(clips)} {unit}s were scored before")
        with show_progress(console, f"scoring {unit}s", unit, len(missing)) as advance:
            batches = score_clips(missing, manifest.root, settings.image_size, detector.score, batch)
            for part, probabilities in batches:
                scores.append(part, probabilities.tolist())
                advance(len(part))
        return put_together(clips, scores, policy)


def unit_of(detector: Detector) -> str:
    """What one score is of."""
    return "frame" if detector.checkpoint.settings.frames == 1 else "clip"


def scoring_rule(detector: Detector) -> str:
    """Which clips or frames are scored, in words."""
    frames = detector.checkpoint.settings.frames
    if frames == 1:
        return f"up to {FRAMES_PER_FACE} single frames spread evenly over each face"
    return f"all non-overlapping segments of {frames} stored frames"


def put_together(
    clips: Sequence[StoredClip], scores: ClipScoreFile, policy: AggregationPolicy
) -> list[ScoredVideo]:
    """Every video of the clips with its score, in their order."""
    by_video: dict[tuple[str, str], list[StoredClip]] = defaultdict(list)
    for clip in clips:
        by_video[clip.row.corpus, clip.row.video_id].append(clip)
    videos = []
    for members in by_video.values():
        rows = [clip.row for clip in members]
        videos.append(scored_video(rows, [clip.scored(scores[clip]) for clip in members], policy))
    return videos


def scored_video(
    rows: Sequence[ManifestRow], clips: Sequence[ClipScore], policy: AggregationPolicy
) -> ScoredVideo:
    """One video, of which these are rows, with the score that follows from its clips'."""
    row = rows[0]
    probability, faces = aggregate_clips(clips, policy)
    return ScoredVideo(
        corpus=row.corpus,
        video_id=row.video_id,
        label=row.label,
        manipulation=row.manipulation,
        split=row.split,
        compression=row.compression,
        people=tuple(people(rows)),
        probability=probability,
        faces=faces,
        clips=tuple(clips),
    )
