"""The faces of an open video, as clips of the model's length, whether it moves or is a still."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.stills import held, of_one_frame
from deepfake_ssat.records import FaceClip
from deepfake_ssat.video import VideoReader

if TYPE_CHECKING:
    from deepfake_ssat.faces.extract import FaceExtraction, FaceExtractor
    from deepfake_ssat.faces.searched import SearchLog


class ClipFinder:
    """Finds faces as ``contract`` says; its networks are loaded for the first video."""

    def __init__(self, contract: ExtractionSettings, device: str):
        self._contract = contract
        self._device = device

    def find(
        self, video: VideoReader, clips: int | None, log: SearchLog | None = None
    ) -> tuple[FaceExtraction, Iterable[FaceClip]]:
        """The extraction and its clips, up to ``clips`` of each face, or all (None)."""
        if not video.metadata.is_still:
            extraction = self._extractor.extract(video, clips, log)
            return extraction, extraction
        extraction = self._still_extractor.extract(video, clips, log)
        return extraction, (held(clip, self._contract.frames) for clip in extraction)

    @cached_property
    def _extractor(self) -> FaceExtractor:
        # Scoring stored clips needs no face detector.
        from deepfake_ssat.faces.extract import FaceExtractor

        return FaceExtractor(self._contract, self._device)

    @cached_property
    def _still_extractor(self) -> FaceExtractor:
        from deepfake_ssat.faces.extract import FaceExtractor

        return FaceExtractor(of_one_frame(self._contract), self._device)
