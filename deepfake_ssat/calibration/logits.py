"""The logits of the videos' clips, scored as ``evaluate`` scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import logit

from deepfake_ssat.calibration.parts import ChosenPart
from deepfake_ssat.evaluation.evaluation import BATCH_CLIPS, Evaluation
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.metrics import VideoLogits
from deepfake_ssat.models.decision import AggregationPolicy, Decision
from deepfake_ssat.progress import Progress
from deepfake_ssat.records import EvaluatedVideo, counting_faces

LOGIT_TEMPERATURE = 16.0
"""Of the probabilities in the score files: at 1, float32 makes the same 1.0 of all logits above 17."""


def open_parts(
    detector: Detector,
    parts: Sequence[ChosenPart],
    folder: Path,
    policy: AggregationPolicy,
    batch: int | None,
    progress: Progress,
) -> list[Evaluation]:
    """An evaluation of each part that scores at ``LOGIT_TEMPERATURE``; a part's files are its manifest's."""
    decision = Decision(temperature=LOGIT_TEMPERATURE, aggregation=policy)
    flat = Detector(replace(detector.checkpoint, decision=decision), detector.path, detector.device)
    scores = folder / f"scores_at_temperature_{LOGIT_TEMPERATURE:g}"
    size = batch or BATCH_CLIPS[detector.device.type]
    return [
        Evaluation(flat, part.manifest, scores / part.manifest.hash[:16], policy, size, progress=progress)
        for part in parts
    ]


def video_logits(videos: Sequence[EvaluatedVideo], policy: AggregationPolicy) -> VideoLogits:
    """Scores at ``LOGIT_TEMPERATURE`` as logits, the clips of a face that counts side by side."""
    probabilities: list[float] = []
    face_starts, video_starts = [], []
    for video in videos:
        video_starts.append(len(face_starts))
        for face in counting_faces(video.verdict.faces):
            face_starts.append(len(probabilities))
            probabilities += [clip.probability for clip in video.clips if clip.track_id == face.track_id]
    return VideoLogits(
        labels=np.array([video.label for video in videos], dtype=int),
        logits=LOGIT_TEMPERATURE * logit(np.array(probabilities)),
        face_starts=np.array(face_starts),
        video_starts=np.array(video_starts),
        clip_rule=policy.clips,
        face_rule=policy.faces,
    )
