"""Scores stored clips under perturbations, one file of scores for each kind and level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from deepfake_ssat.aggregate import AggregationPolicy
from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.evaluation.clip_scores import ClipScoreFile
from deepfake_ssat.evaluation.scoring import put_together, run_key, unit_of
from deepfake_ssat.evaluation.stored_clips import StoredClip, plan_clips, score_clips
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import ManifestRow, ScoredVideo
from deepfake_ssat.video.perturbation import Perturbation, generator_for, perturb_clip
from deepfake_ssat.video.perturbation.kinds import FALLBACK_FPS


@dataclass(frozen=True)
class PerturbedScoring:
    """With what, and where to, perturbed pictures are scored."""

    detector: Detector
    manifest: Manifest
    folder: Path
    """For the files of scores, by which an interrupted run goes on."""
    batch: int
    policy: AggregationPolicy
    threads: int | None
    seed: int
    console: Console

    def file(self, perturbation: Perturbation | None, suffix: str) -> Path:
        """Where its scores go; None is the pictures as they are."""
        name = "none" if perturbation is None else f"{perturbation.kind}_{perturbation.level}"
        return self.folder / f"{name}{suffix}"

    @property
    def run(self) -> str:
        """Names all that a score depends on, but the perturbation, which names the file."""
        return f"{run_key(self.detector, self.manifest)}-{self.seed}"


def score_perturbed_clips(
    rows: Sequence[ManifestRow], perturbations: Sequence[Perturbation], scoring: PerturbedScoring
) -> Iterator[tuple[Perturbation, list[ScoredVideo]]]:
    """The videos' scores under each perturbation; a segment is perturbed for itself, at its stored size."""
    detector, root = scoring.detector, scoring.manifest.root
    settings = detector.checkpoint.settings
    clips = plan_clips(rows, settings.frames)
    unit = unit_of(detector)
    total = len(clips) * len(perturbations)
    with show_progress(scoring.console, f"perturbed {unit}s", unit, total) as advance:
        for perturbation in perturbations:
            with ClipScoreFile(scoring.file(perturbation, ".csv"), scoring.run) as scores:
                missing = [clip for clip in clips if clip not in scores]
                advance(len(clips) - len(missing), f"{perturbation}")
                change = _Change(perturbation, scoring.seed)
                batches = score_clips(
                    missing, root, settings.image_size, detector.score, scoring.batch, change
                )
                for part, probabilities in batches:
                    scores.append(part, probabilities.tolist())
                    advance(len(part), f"{perturbation}")
                yield perturbation, put_together(clips, scores, scoring.policy)


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
