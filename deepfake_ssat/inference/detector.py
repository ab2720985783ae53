"""A checkpoint made ready to judge: face clips to probabilities, video files to verdicts.

B batch, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from deepfake_ssat.aggregate import AggregationPolicy
from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.errors import CheckpointError, VideoError
from deepfake_ssat.explanation import EXPLAINED_CLIPS, Explanation
from deepfake_ssat.inference.backends import ClipScorer, make_scorer
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.inference.explain import KeptClips, explanation
from deepfake_ssat.inference.verdict import TrackSummary, clip_score, scored_verdict, unscored_verdict
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint
from deepfake_ssat.records import ClipScore, FaceClip, Status, VideoVerdict
from deepfake_ssat.video import VideoReader, open_video

if TYPE_CHECKING:
    from deepfake_ssat.faces.extract import FaceExtractor

DEFAULT_WEIGHTS = Path(__file__).parent.parent / "weights" / "default.safetensors"
BATCH_CLIPS = {"cpu": 1, "cuda": 8}
"""Clips scored at a time, by device: on a CPU more cost over 100 MB of memory and gain little time."""

OnClip = Callable[[FaceClip, ClipScore], None]


def load_detector(
    checkpoint: Path | str | None = None,
    device: str = "auto",
    *,
    decoder: bool = False,
    backend: str = "torch",
) -> Detector:
    """Loads and self-tests a checkpoint, by default the package's own, and judges videos with it.

    ``device`` is auto, cpu or cuda. ``decoder`` keeps the weights that only reconstruction needs. ``backend``
    is torch or openvino (on CPUs only: there auto is the CPU). Raises CheckpointError for files that are no
    detector of faces, ConfigError for a device or a backend that is not there.
    """
    path = default_weights() if checkpoint is None else Path(checkpoint)
    where = resolve_device("cpu" if (backend, device) == ("openvino", "auto") else device)
    return Detector(load_checkpoint(path, where, decoder=decoder), path, where, backend)


def default_weights() -> Path:
    """The weights that come with the package; raises CheckpointError where there are none yet."""
    if not DEFAULT_WEIGHTS.is_file():
        raise CheckpointError(
            "this installation comes without default weights; install the package again, or give "
            "--checkpoint FILE: deepfake-ssat train writes one (best.safetensors)"
        )
    return DEFAULT_WEIGHTS


class Detector:
    """One loaded model; use it for any number of videos, from one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, path: Path, device: torch.device, backend: str = "torch"):
        self.checkpoint = checkpoint
        self.path = path
        self.device = device
        self.policy = AggregationPolicy()
        self.contract = checkpoint.require_contract()
        if self.contract.frames < checkpoint.settings.frames:
            raise CheckpointError(
                f"{path}: its clips have {self.contract.frames} frames, its model reads "
                f"{checkpoint.settings.frames}; train it on clips that are as long"
            )
        self.scorer: ClipScorer = make_scorer(backend, checkpoint, device)

    @property
    def precision(self) -> Literal["bf16", "fp32"]:
        """What the scores are computed in."""
        return self.scorer.precision

    @cached_property
    def _extractor(self) -> FaceExtractor:
        # Scoring stored clips needs no face detector.
        from deepfake_ssat.faces.extract import FaceExtractor

        return FaceExtractor(self.contract, str(self.device))

    def detect(
        self,
        path: str | os.PathLike[str],
        clips: int | None = 4,
        on_clip: OnClip | None = None,
    ) -> VideoVerdict:
        """Judges one file on ``clips`` clips spread over it, or on every one (None).

        A file that cannot be read, shows no face or is too short gets that status and no probability.
        ``on_clip`` sees each clip with its score as it passes; clips are not kept.
        """
        name = os.fspath(path)
        try:
            with open_video(name) as video:
                return self.judge(name, video, clips, on_clip)
        except VideoError as error:
            return unscored_verdict(name, Status.UNREADABLE, [str(error)])

    def explain(
        self,
        path: str | os.PathLike[str],
        clips: int | None = 4,
        num_clips: int = EXPLAINED_CLIPS,
        on_clip: OnClip | None = None,
    ) -> Explanation:
        """Judges one file as ``detect`` does, with heat maps of its ``num_clips`` highest scores.

        Maps are computed by torch whatever the backend; those of the reconstruction error need a detector
        that was loaded with its decoder.
        """
        kept = KeptClips(num_clips)

        def keep(clip: FaceClip, score: ClipScore) -> None:
            kept.add(clip, score)
            if on_clip is not None:
                on_clip(clip, score)

        verdict = self.detect(path, clips, keep)
        return explanation(verdict, kept, self.checkpoint, self.device)

    def score(self, pixels: np.ndarray | torch.Tensor) -> np.ndarray:
        """(B, T, H, W, C) uint8 of the model's frames and size -> (B,) probabilities of fake, calibrated."""
        return self.scorer.score(pixels)

    def judge(
        self, name: str, video: VideoReader, clips: int | None = None, on_clip: OnClip | None = None
    ) -> VideoVerdict:
        """As ``detect``, of a video that is open already."""
        extraction = self._extractor.extract(video, clips)
        tracks: dict[int, TrackSummary] = {}
        for batch in _batches(extraction, BATCH_CLIPS[self.device.type]):
            for clip, probability in zip(batch, self._score_clips(batch), strict=True):
                score = clip_score(clip, probability)
                tracks.setdefault(clip.track_id, TrackSummary()).add(clip, score)
                if on_clip is not None:
                    on_clip(clip, score)
        warnings = [*video.warnings, *extraction.warnings]
        if extraction.status is not Status.SCORED:
            return unscored_verdict(name, extraction.status, [extraction.detail, *warnings], video.metadata)
        return scored_verdict(name, tracks, self.checkpoint.decision, self.policy, warnings, video.metadata)

    def _score_clips(self, batch: list[FaceClip]) -> list[float]:
        """One probability a clip; a clip longer than the model's is the mean over its consecutive parts."""
        settings = self.checkpoint.settings
        parts = self.contract.frames // settings.frames
        pixels = np.stack(
            [
                resize_clip(clip.pixels[: parts * settings.frames], settings.image_size).reshape(
                    parts, settings.frames, settings.image_size, settings.image_size, 3
                )
                for clip in batch
            ]
        )
        scores = self.score(pixels.reshape(-1, *pixels.shape[2:]))
        return scores.reshape(len(batch), parts).mean(axis=1).tolist()


def _batches(clips: Iterable[FaceClip], size: int) -> Iterator[list[FaceClip]]:
    """Up to ``size`` clips at a time, in order."""
    batch: list[FaceClip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
