"""A verdict with its reasons: the most suspicious clips, their heat maps, and a mark for every analysed face.

T frames, H W pixels.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference.detector import Detector, OnClip
from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS, ClipExplanation, Explanation, FrameMark
from deepfake_ssat.inference.heatmaps import evidence_map, frame_evidence_map, reconstruction_error_map
from deepfake_ssat.models.baselines.cross_efficient_vit import CrossEfficientVit
from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.records import ClipScore, FaceClip


def explain(
    detector: Detector,
    path: str | os.PathLike[str],
    clips: int | None = 4,
    reader: Literal["pyav", "decord"] = "pyav",
    num_clips: int = EXPLAINED_CLIPS,
    on_clip: OnClip | None = None,
) -> Explanation:
    """Judges one file as ``Detector.detect`` does and explains its ``num_clips`` highest scores.

    The reconstruction-error maps need a detector that was loaded with its decoder.
    """
    collected = _Collected(num_clips)

    def collect(clip: FaceClip, score: ClipScore) -> None:
        collected.add(clip, score)
        if on_clip is not None:
            on_clip(clip, score)

    verdict = detector.detect(path, clips, reader, collect)
    return Explanation(
        verdict=verdict,
        clips=tuple(_explain_clip(detector, clip, score) for clip, score in collected.highest()),
        thumbnails=collected.thumbnails,
        marks={frame: tuple(marks) for frame, marks in collected.marks.items()},
    )


@dataclass
class _Collected:
    """What is kept while the clips stream by: a few clips, one picture a face, and numbers."""

    num_clips: int
    thumbnails: dict[int, np.ndarray] = field(default_factory=dict)
    marks: dict[int, list[FrameMark]] = field(default_factory=lambda: defaultdict(list))
    _heap: list[tuple[float, int, FaceClip, ClipScore]] = field(default_factory=list)
    _count: int = 0

    def add(self, clip: FaceClip, score: ClipScore) -> None:
        self.thumbnails.setdefault(clip.track_id, clip.pixels[len(clip.pixels) // 2].copy())
        for frame, box in zip(clip.frame_indices.tolist(), clip.boxes.tolist(), strict=True):
            self.marks[frame].append(FrameMark(clip.track_id, tuple(box), score.probability))
        self._count += 1
        entry = (score.probability, -self._count, clip, score)
        if len(self._heap) < self.num_clips:
            heapq.heappush(self._heap, entry)
        elif self.num_clips:
            heapq.heappushpop(self._heap, entry)

    def highest(self) -> list[tuple[FaceClip, ClipScore]]:
        """The kept clips, the highest score first; of equal ones the earlier."""
        return [
            (clip, score) for _, _, clip, score in sorted(self._heap, key=lambda kept: kept[:2], reverse=True)
        ]


def _explain_clip(detector: Detector, clip: FaceClip, score: ClipScore) -> ClipExplanation:
    """Maps of the clip's parts, one after the other in time where it is longer than the model's clips."""
    settings, model = detector.checkpoint.settings, detector.checkpoint.model
    parts = len(clip.pixels) // settings.frames
    pixels = resize_clip(clip.pixels[: parts * settings.frames], settings.image_size)
    batch = torch.from_numpy(pixels).reshape(parts, settings.frames, *pixels.shape[1:])
    inputs = normalize_pixels(batch.to(detector.device), settings)
    errors = None
    if isinstance(model, (FrameClassifier, CrossEfficientVit)):
        evidence = frame_evidence_map(model, inputs)
    elif isinstance(model, MaskedAutoencoder):
        evidence = evidence_map(model, inputs)
    else:
        raise CheckpointError(
            f"{detector.path}: models of kind {detector.checkpoint.kind} cannot be explained"
        )
    if isinstance(model, MaskedAutoencoder) and model.decoder is not None:
        objective = _training_objective(detector)
        errors = reconstruction_error_map(
            model,
            inputs,
            mask_ratio=objective.mask_ratio,
            normalize=objective.normalize_target,
            convention=objective.target_convention,
        )
    return ClipExplanation(
        score=score,
        frame_indices=clip.frame_indices,
        seconds=clip.seconds,
        pixels=pixels,
        evidence=_joined(evidence),
        reconstruction_error=None if errors is None else _joined(errors),
    )


def _training_objective(detector: Detector) -> ObjectiveSettings:
    """How the decoder was trained, from the checkpoint; the usual settings where it does not say."""
    return ObjectiveSettings.model_validate(detector.checkpoint.provenance.get("objective", {}))


def _joined(maps: torch.Tensor) -> np.ndarray:
    """(parts, t, h, w) -> (parts * t, h, w) float32."""
    return maps.flatten(0, 1).float().cpu().numpy()
