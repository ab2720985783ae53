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
from deepfake_ssat.faces.searched import SearchLog
from deepfake_ssat.inference.explanation import ClipExplanation, Explanation, FrameMark
from deepfake_ssat.inference.heatmaps import reconstruction_error_map
from deepfake_ssat.inference.moments import MomentKeeper
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.records import ClipScore, FaceClip, VideoVerdict

SPARE_CLIPS = 4
"""Kept for each that will be explained: those of tracks that do not count as faces in the end go."""
NO_ERROR_MAP = (
    "No map of the reconstruction error: the loaded weights have no decoder (training with ssat or mae "
    "stores one; from Python, load_detector(..., decoder=True) keeps it)."
)


@dataclass
class KeptClips:
    """What is kept while the clips stream by: a few clips, a few pictures a face, and numbers."""

    num_clips: int
    faces: dict[int, MomentKeeper] = field(default_factory=lambda: defaultdict(MomentKeeper))
    log: SearchLog = field(default_factory=SearchLog)
    """Filled by the search."""
    _probabilities: dict[tuple[int, int], float] = field(default_factory=dict)
    """By track and frame, that of the clip that holds both."""
    _heap: list[tuple[float, int, FaceClip, ClipScore]] = field(default_factory=list)
    _count: int = 0

    def add(self, clip: FaceClip, score: ClipScore) -> None:
        """Takes note of a clip as it passes."""
        self.faces[clip.track_id].add(clip, score)
        first, last = int(clip.frame_indices[0]), int(clip.frame_indices[-1])
        for frame in range(first, last + 1):
            self._probabilities[clip.track_id, frame] = score.probability
        self._count += 1
        entry = (score.probability, -self._count, clip, score)
        if len(self._heap) < SPARE_CLIPS * self.num_clips:
            heapq.heappush(self._heap, entry)
        elif self.num_clips:
            heapq.heappushpop(self._heap, entry)

    def highest(self, faces: set[int], first: int | None) -> list[tuple[FaceClip, ClipScore]]:
        """The clips to be explained, of these tracks: of ``first``, then the highest, then the earliest."""
        ordered = sorted(self._heap, key=lambda kept: (kept[3].track_id == first, *kept[:2]), reverse=True)
        return [(clip, score) for _, _, clip, score in ordered if clip.track_id in faces][: self.num_clips]

    def marks_of(self, faces: set[int]) -> dict[int, tuple[FrameMark, ...]]:
        """By frame, the marks of these tracks."""
        chosen = {
            frame: tuple(
                FrameMark(track, box, self._probabilities.get((track, frame)))
                for track, box in found
                if track in faces
            )
            for frame, found in self.log.boxes.items()
        }
        return {frame: marks for frame, marks in chosen.items() if marks}


def explanation(
    verdict: VideoVerdict, kept: KeptClips, checkpoint: Checkpoint, device: torch.device
) -> Explanation:
    """A verdict with the maps of the clips that were kept.

    Those of the reconstruction error need a checkpoint that was loaded with its decoder; notes tell of none.
    """
    faces = {face.track_id for face in verdict.faces}
    return Explanation(
        verdict=verdict,
        clips=tuple(
            explain_clip(checkpoint, device, clip, score)
            for clip, score in kept.highest(faces, verdict.decided_by)
        ),
        faces={track: keeper.moments() for track, keeper in kept.faces.items() if track in faces},
        marks=kept.marks_of(faces),
        searched=tuple(kept.log.stretches),
        notes=() if checkpoint.model.autoencoder() is not None else (NO_ERROR_MAP,),
    )


def explain_clip(
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
