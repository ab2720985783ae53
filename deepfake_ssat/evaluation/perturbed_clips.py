"""Scores stored clips under perturbations, one file of scores for each kind and level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.evaluation.clip_scores import ClipScoreFile
from deepfake_ssat.evaluation.evaluation import Evaluation
from deepfake_ssat.evaluation.stored_clips import StoredClip
from deepfake_ssat.records import EvaluatedVideo, ManifestRow
from deepfake_ssat.video.perturbation import Perturbation, generator_for, perturb_clip
from deepfake_ssat.video.perturbation.kinds import FALLBACK_FPS


def score_perturbed_clips(
    evaluation: Evaluation, rows: Sequence[ManifestRow], perturbations: Sequence[Perturbation]
) -> Iterator[tuple[Perturbation, list[EvaluatedVideo]]]:
    """The videos' scores under each perturbation; a segment is perturbed for itself, at its stored size."""
    clips, unit = evaluation.plan(rows), evaluation.unit
    with evaluation.progress(f"perturbed {unit}s", unit, len(clips) * len(perturbations)) as advance:
        for perturbation in perturbations:
            note = str(perturbation)
            with ClipScoreFile(score_file(evaluation, perturbation, ".csv"), run_key(evaluation)) as scores:
                missing = [clip for clip in clips if clip not in scores]
                advance(len(clips) - len(missing), note)
                evaluation.score_into(scores, missing, advance, _Change(perturbation, evaluation.seed), note)
                yield perturbation, evaluation.put_together(clips, scores)


def score_file(evaluation: Evaluation, perturbation: Perturbation | None, suffix: str) -> Path:
    """Where the scores under a perturbation go; None is the pictures as they are."""
    name = "none" if perturbation is None else f"{perturbation.kind}_{perturbation.level}"
    return evaluation.folder / f"{name}{suffix}"


def run_key(evaluation: Evaluation) -> str:
    """Names all that such a score depends on, but the perturbation, which names the file."""
    return f"{evaluation.run_key}-{evaluation.seed}"


@dataclass(frozen=True)
class _Change:
    perturbation: Perturbation
    seed: int

    def __call__(self, clip: StoredClip, pixels: np.ndarray) -> np.ndarray:
        row = clip.row
        names = (row.corpus, row.video_id, row.clip_file, str(clip.first_frame))
        seconds = row.end_seconds - row.start_seconds
        fps = (row.num_frames - 1) / seconds if seconds > 0 else FALLBACK_FPS
        generator = generator_for(self.seed, self.perturbation, *names)
        return perturb_clip(pixels, self.perturbation, generator, fps)
