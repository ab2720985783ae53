"""The logits of the videos' clips, scored as ``evaluate`` scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.special import logit

from deepfake_ssat.calibration.parts import ChosenPart
from deepfake_ssat.evaluation.scoring import score_rows
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.metrics import VideoLogits
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import ScoredVideo

LOGIT_TEMPERATURE = 16.0
"""Of the probabilities in the score files: at 1, float32 makes the same 1.0 of all logits above 17."""


def score_parts(
    detector: Detector, parts: Sequence[ChosenPart], folder: Path, batch: int, console: Console
) -> list[ScoredVideo]:
    """Every video, its clips scored at ``LOGIT_TEMPERATURE``; scores of an interrupted run are taken over."""
    flat = replace(detector.checkpoint, decision=Decision(temperature=LOGIT_TEMPERATURE))
    scorer = Detector(flat, detector.path, detector.device)
    videos = []
    for part in parts:
        own = folder / f"scores_at_temperature_{LOGIT_TEMPERATURE:g}" / part.manifest.hash[:16]
        videos += score_rows(scorer, part.manifest, part.rows, own, batch, scorer.policy, console)
    return videos


def video_logits(videos: Sequence[ScoredVideo]) -> VideoLogits:
    """Scores of ``score_parts`` as logits, a face's clips side by side."""
    probabilities: list[float] = []
    face_starts, video_starts = [], []
    for video in videos:
        video_starts.append(len(face_starts))
        for track in dict.fromkeys(clip.track_id for clip in video.clips):
            face_starts.append(len(probabilities))
            probabilities += [clip.probability for clip in video.clips if clip.track_id == track]
    return VideoLogits(
        labels=np.array([video.label for video in videos], dtype=int),
        logits=LOGIT_TEMPERATURE * logit(np.array(probabilities)),
        face_starts=np.array(face_starts),
        video_starts=np.array(video_starts),
    )
