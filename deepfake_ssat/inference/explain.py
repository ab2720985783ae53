"""The reasons of a verdict: the most suspicious clips, their heat maps, and a mark for every analysed face.

T frames, H W pixels.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.explanation import ClipExplanation, Explanation, FrameMark
from deepfake_ssat.inference.heatmaps import reconstruction_error_map
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.records import ClipScore, FaceClip, VideoVerdict


@dataclass
class KeptClips:
    """What is kept while the clips stream by: a few clips, one picture a face, and numbers."""

    num_clips: int
    thumbnails: dict[int, np.ndarray] = field(default_factory=dict)
    marks: dict[int, list[FrameMark]] = field(default_factory=lambda: defaultdict(list))
    _heap: list[tuple[float, int, FaceClip, ClipScore]] = field(default_factory=list)
    _count: int = 0

    def add(self, clip: FaceClip, score: ClipScore) -> None:
        """Takes note of a clip as it passes."""
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


def explanation(
    verdict: VideoVerdict, kept: KeptClips, checkpoint: Checkpoint, device: torch.device
) -> Explanation:
    """A verdict with the maps of the clips that were kept.

    Those of the reconstruction error need a checkpoint that was loaded with its decoder.
    """
    return Explanation(
        verdict=verdict,
        clips=tuple(_explain_clip(checkpoint, device, clip, score) for clip, score in kept.highest()),
        thumbnails=kept.thumbnails,
        marks={frame: tuple(marks) for frame, marks in kept.marks.items()},
    )


def _explain_clip(
    checkpoint: Checkpoint, device: torch.device, clip: FaceClip, score: ClipScore
) -> ClipExplanation:
    """Maps of the clip's parts, one after the other in time where it is longer than the model's clips."""
    settings, model = checkpoint.settings, checkpoint.model
    parts = len(clip.pixels) // settings.frames
    pixels = resize_clip(clip.pixels[: parts * settings.frames], settings.image_size)
    batch = torch.from_numpy(pixels).reshape(parts, settings.frames, *pixels.shape[1:])
    inputs = normalize_pixels(batch.to(device), settings)
    errors, autoencoder = None, model.autoencoder()
    if autoencoder is not None:
        objective = _training_objective(checkpoint)
        errors = reconstruction_error_map(
            autoencoder,
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
        evidence=_joined(model.evidence_map(inputs)),
        reconstruction_error=None if errors is None else _joined(errors),
    )


def _training_objective(checkpoint: Checkpoint) -> ObjectiveSettings:
    """How the decoder was trained, from the checkpoint; the usual settings where it does not say."""
    return ObjectiveSettings.model_validate(checkpoint.provenance.get("objective", {}))


def _joined(maps: torch.Tensor) -> np.ndarray:
    """(parts, t, h, w) -> (parts * t, h, w) float32."""
    return maps.flatten(0, 1).float().cpu().numpy()
