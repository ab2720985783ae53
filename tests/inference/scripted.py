"""A small random detector, and an extractor that gives scripted clips in place of searching for faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from deepfake_ssat.config import ExtractionSettings, ModelSettings
from deepfake_ssat.faces.searched import SearchLog
from deepfake_ssat.models.checkpoint import Checkpoint, Decision, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.records import FaceClip, Status
from tests.models.tiny import VIDEO

CONTRACT = ExtractionSettings(frames=VIDEO.frames, crop_size=VIDEO.image_size)


def write_checkpoint(
    path: Path,
    settings: ModelSettings = VIDEO,
    contract: ExtractionSettings | None = CONTRACT,
    decision: Decision | None = None,
    provenance: dict | None = None,
    metrics: dict | None = None,
) -> Path:
    """A checkpoint with random weights whose answers differ from clip to clip."""
    torch.manual_seed(3)
    model = MaskedAutoencoder(settings)
    with torch.no_grad():
        model.head.weight.mul_(30)
    save_checkpoint(
        path,
        Checkpoint(
            model,
            settings,
            contract,
            decision or Decision(),
            metrics=metrics or {},
            provenance=provenance or {"command": "a test"},
        ),
    )
    return path


def face_clip(track_id: int, start: int, side: float = 120.0, frames: int = VIDEO.frames) -> FaceClip:
    """A clip of noise that begins at a frame; 25 frames a second; a square face box."""
    indices = np.arange(start, start + frames)
    generator = np.random.default_rng([track_id, start])
    size = VIDEO.image_size
    return FaceClip(
        pixels=generator.integers(0, 256, (frames, size, size, 3), dtype=np.uint8),
        frame_indices=indices,
        seconds=indices / 25,
        track_id=track_id,
        boxes=np.tile([10.0, 20.0, 10.0 + side, 20.0 + side], (frames, 1)),
        landmarks=np.zeros((frames, 5, 2)),
    )


class ScriptedExtraction:
    """Hands out the clips one by one, as an extraction from a video would."""

    def __init__(
        self,
        clips: Iterator[FaceClip],
        status: Status,
        detail: str,
        warnings: Sequence[str],
        doubtful: frozenset[int] = frozenset(),
        log: SearchLog | None = None,
    ):
        self._clips = clips
        self._doubtful = doubtful
        self._log = log
        self.status, self.detail, self.warnings = status, detail, list(warnings)
        self.num_frames = 0
        self.counting_tracks: set[int] = set()

    def __iter__(self) -> Iterator[FaceClip]:
        for clip in self._clips:
            self.counting_tracks |= {clip.track_id} - self._doubtful
            if self._log is not None:
                for frame, box in zip(clip.frame_indices.tolist(), clip.boxes.tolist(), strict=True):
                    self._log.boxes.setdefault(frame, []).append((clip.track_id, tuple(box)))
            yield clip


class ScriptedExtractor:
    """Stands in for FaceExtractor: the same clips for every video."""

    def __init__(
        self,
        clips: Sequence[FaceClip] | Iterator[FaceClip] = (),
        status: Status = Status.SCORED,
        detail: str = "",
        warnings: Sequence[str] = (),
        doubtful: Iterable[int] = (),
    ):
        self.doubtful = frozenset(doubtful)
        """Tracks that do not count in the end."""
        self.clips, self.status, self.detail, self.warnings = clips, status, detail, warnings
        self.asked: list[int | None] = []

    def __call__(self, settings: ExtractionSettings, device: str = "cpu") -> ScriptedExtractor:
        """The constructor's place: ``monkeypatch.setattr(extract, "FaceExtractor", scripted)``."""
        self.settings = settings
        return self

    def extract(
        self, reader: object, clips: int | None = None, log: SearchLog | None = None
    ) -> ScriptedExtraction:
        """The script, whatever the video shows."""
        self.asked.append(clips)
        return ScriptedExtraction(
            iter(self.clips), self.status, self.detail, self.warnings, self.doubtful, log
        )
