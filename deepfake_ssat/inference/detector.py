"""A checkpoint made ready to judge: face clips to probabilities, video files to verdicts.

B batch, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

from deepfake_ssat.errors import CheckpointError, ConfigError, VideoError
from deepfake_ssat.inference.arguments import (
    check_clips,
    check_num_clips,
    check_pixels,
    check_rotate,
    checkpoint_path,
    existing_file,
    existing_files,
)
from deepfake_ssat.inference.backends import ClipScorer, Precision, make_scorer
from deepfake_ssat.inference.clip_finder import ClipFinder
from deepfake_ssat.inference.default_weights import default_weights, is_default
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.inference.explain import KeptClips, explain_clip, explanation
from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS, ClipExplanation, Explanation
from deepfake_ssat.inference.face_scorer import FaceScorer, scored_in_batches
from deepfake_ssat.inference.file_facts import file_facts, in_utc
from deepfake_ssat.inference.still_error import still_warning
from deepfake_ssat.inference.verdict import VideoScores, scored_verdict, unscored_verdict
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint
from deepfake_ssat.progress import NOT_KNOWN, Progress, silent
from deepfake_ssat.records import ClipScore, FaceClip, Status, VideoVerdict
from deepfake_ssat.video import VideoReader
from deepfake_ssat.video.frames import FrameReader
from deepfake_ssat.video.reader import open_video_or_picture
from deepfake_ssat.video.watched import WatchedReader

if TYPE_CHECKING:
    from deepfake_ssat.faces.searched import SearchLog

BATCH_CLIPS = {"cpu": 1, "cuda": 8}
"""Clips scored at a time, by device: on a CPU more cost over 100 MB of memory and gain little time."""

FRAMES = "frames"
"""In place of a path, in the verdicts on a caller's own pictures."""
SAME_MOMENT = 0.002
"""Seconds: JSON has times to the millisecond."""

StrPath = str | os.PathLike[str]
OnClip = Callable[[FaceClip, ClipScore], None]


def load_detector(
    checkpoint: StrPath | None = None,
    device: str = "auto",
    *,
    decoder: bool = False,
    backend: str = "torch",
) -> Detector:
    """Loads and self-tests a checkpoint, by default the package's own, and judges videos with it.

    A self-test that the file passed on this machine, with this software, is not repeated.

    ``device`` is auto, cpu or cuda. ``decoder`` keeps the weights that only reconstruction needs. ``backend``
    is torch or openvino (on CPUs only: there auto is the CPU). Raises CheckpointError for files that are no
    detector of faces, ConfigError for a device or a backend that is not there.
    """
    path = default_weights() if checkpoint is None else checkpoint_path(checkpoint)
    where = resolve_device("cpu" if (backend, device) == ("openvino", "auto") else device)
    return Detector(load_checkpoint(path, where, decoder=decoder, test_once=True), path, where, backend)


class Detector:
    """One loaded model; use it for any number of videos, from one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, path: Path, device: torch.device, backend: str = "torch"):
        self.checkpoint = checkpoint
        self.path = path
        self.device = device
        self.contract = checkpoint.require_contract()
        if self.contract.frames < checkpoint.settings.frames:
            raise CheckpointError(
                f"{path}: its clips have {self.contract.frames} frames, its model reads "
                f"{checkpoint.settings.frames}; train it on clips that are as long"
            )
        self.scorer: ClipScorer = make_scorer(backend, checkpoint, device)
        self._face_scorer = FaceScorer(checkpoint.settings, self.contract.frames, self.scorer.score)
        self._finder = ClipFinder(self.contract, str(device))

    @property
    def backend(self) -> str:
        """What computes the scores."""
        return self.scorer.name

    @property
    def has_default_weights(self) -> bool:
        """Whether it judges by the weights that come with the package."""
        return is_default(self.path)

    @property
    def own_path(self) -> Path | None:
        """The file to load it from on another machine; None: the weights of the package there."""
        return None if self.has_default_weights else self.path

    @property
    def precision(self) -> Precision:
        """What the scores are computed in."""
        return self.scorer.precision

    @overload
    def detect(
        self,
        video: StrPath | np.ndarray | Iterable[np.ndarray],
        clips: int | None = 4,
        on_clip: OnClip | None = None,
        *,
        fps: float | None = None,
        seconds: Iterable[float] | None = None,
        rotate: int = 0,
        progress: Progress = silent,
    ) -> VideoVerdict: ...

    @overload
    def detect(
        self,
        video: Iterable[StrPath],
        clips: int | None = 4,
        on_clip: OnClip | None = None,
        *,
        progress: Progress = silent,
        rotate: int = 0,
    ) -> list[VideoVerdict]: ...

    def detect(
        self,
        video: Any,
        clips: int | None = 4,
        on_clip: OnClip | None = None,
        *,
        fps: float | None = None,
        seconds: Iterable[float] | None = None,
        progress: Progress = silent,
        rotate: int = 0,
    ) -> VideoVerdict | list[VideoVerdict]:
        """Judges a video on ``clips`` clips spread over it, or on every one (None).

        ``video`` is a file, a single picture too, turned clockwise by ``rotate`` degrees beyond its tag; or
        several, which give a list; or frames: an array (T, H, W, 3) uint8 RGB, or pictures (H, W, 3) one by
        one, of one size, with their ``fps`` or their times in ``seconds``. One by one all of them are looked
        at, as nobody knows how many will come. A video that cannot be read, shows no face or is too short
        gets that status and no probability. ``on_clip`` sees each clip with its score as it passes; clips are
        not kept. ``progress`` is told of the videos, or of the frames of a single one. Raises
        MissingFileError for a file that is not there, ConfigError for what is not as described.
        """
        check_clips(clips)
        check_rotate(rotate)
        if fps is not None or seconds is not None:
            frames = partial(FrameReader, video, fps=fps, seconds=seconds)
            return self._judge_opened(FRAMES, frames, clips, on_clip, progress)
        if isinstance(video, (str, os.PathLike)):
            return self._judge_file(existing_file(video, "video"), clips, on_clip, rotate, progress)
        files = existing_files(video, "video")
        with progress("judging", "video", len(files)) as advance:
            verdicts = []
            for file in files:
                verdicts.append(self.detect(file, clips, on_clip, rotate=rotate))
                advance()
        return verdicts

    def _judge_file(
        self,
        name: str,
        clips: int | None,
        on_clip: OnClip | None,
        rotate: int,
        progress: Progress,
        log: SearchLog | None = None,
    ) -> VideoVerdict:
        opened = partial(open_video_or_picture, name, rotate)
        verdict = self._judge_opened(name, opened, clips, on_clip, progress, log)
        return replace(verdict, file=file_facts(name))

    def _judge_opened(
        self,
        name: str,
        opened: Callable[[], VideoReader],
        clips: int | None,
        on_clip: OnClip | None,
        progress: Progress,
        log: SearchLog | None = None,
    ) -> VideoVerdict:
        """A video that cannot be read is a result."""
        try:
            with (
                opened() as video,
                progress("judging", "frame", video.metadata.num_frames or NOT_KNOWN) as advance,
            ):
                verdict = self.judge(name, WatchedReader(video, advance), clips, on_clip, log)
        except VideoError as error:
            verdict = unscored_verdict(name, Status.UNREADABLE, [str(error)])
        return replace(verdict, judged_at=in_utc(time.time()))

    def explain(
        self,
        path: str | os.PathLike[str],
        clips: int | None = 4,
        num_clips: int = EXPLAINED_CLIPS,
        on_clip: OnClip | None = None,
        *,
        rotate: int = 0,
        progress: Progress = silent,
    ) -> Explanation:
        """Judges one file as ``detect`` does, with heat maps of its ``num_clips`` highest scores.

        Maps are computed by torch whatever the backend; those of the reconstruction error need a detector
        that was loaded with its decoder, and ``notes`` tells where it has none. Raises as ``detect`` does.
        """
        name = existing_file(path, "path")
        check_clips(clips)
        check_rotate(rotate)
        check_num_clips(num_clips)
        kept = KeptClips(num_clips)

        def keep(clip: FaceClip, score: ClipScore) -> None:
            kept.add(clip, score)
            if on_clip is not None:
                on_clip(clip, score)

        verdict = self._judge_file(name, clips, keep, rotate, progress, kept.log)
        return explanation(verdict, kept, self.checkpoint, self.device)

    def explain_clip(
        self, path: StrPath, clip: ClipScore, clips: int | None = 4, *, rotate: int = 0
    ) -> ClipExplanation:
        """The maps of one clip of a verdict on ``path``: any of its ``clips``, not its highest alone.

        ``clips`` and ``rotate`` are those that the verdict was found with: the clip is looked for as it was
        then, and the file is read no further. Raises ConfigError where it holds no such clip, VideoError
        where it cannot be read, and what ``explain`` raises.
        """
        name = existing_file(path, "path")
        check_clips(clips)
        check_rotate(rotate)
        with open_video_or_picture(name, rotate) as video:
            for found in self._finder.find(video, clips)[1]:
                starts_then = abs(float(found.seconds[0]) - clip.start_seconds) < SAME_MOMENT
                if found.track_id == clip.track_id and starts_then:
                    return explain_clip(self.checkpoint, self.device, found, clip)
        raise ConfigError(
            f"{name}: no clip of face {clip.track_id} begins at {clip.start_seconds:.3f} s; give the file "
            "and the number of clips that its verdict was found with"
        )

    def score(self, pixels: np.ndarray | torch.Tensor) -> np.ndarray:
        """(B, T, H, W, C) uint8 of the model's frames and size -> (B,) probabilities of fake, calibrated."""
        check_pixels(pixels, self.checkpoint.settings)
        return self.scorer.score(pixels)

    def score_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8 face crops -> (B,) probabilities of fake, each shown for as long as a clip.

        The mean over a picture and its mirror image: a video's clips even out each other's errors, a picture
        has no other to do so (docs/weights.md).
        """
        return self._face_scorer.pictures(pixels)

    def judge(
        self,
        name: str,
        video: VideoReader,
        clips: int | None = None,
        on_clip: OnClip | None = None,
        log: SearchLog | None = None,
    ) -> VideoVerdict:
        """As ``detect``, of a video that is open already; ``log`` keeps where faces were sought and found.

        Which tracks count as faces is known at the end only: ``on_clip`` sees the clips of the others too.
        """
        check_clips(clips)
        extraction, found = self._finder.find(video, clips, log)
        by_batch = self._face_scorer.stills if video.metadata.is_still else self._face_scorer.clips
        scores = VideoScores()
        for clip, probability in scored_in_batches(found, by_batch, BATCH_CLIPS[self.device.type]):
            score = scores.add(clip, probability)
            if on_clip is not None:
                on_clip(clip, score)
        warnings = [*video.warnings, *extraction.warnings]
        if video.metadata.is_still and extraction.status is Status.SCORED:
            warnings.insert(0, still_warning(self.checkpoint))
        if extraction.status is not Status.SCORED:
            return unscored_verdict(name, extraction.status, [extraction.detail, *warnings], video.metadata)
        faces = extraction.counting_tracks
        judged = [score for score in scores.clips if score.track_id in faces]
        decision = self.checkpoint.decision
        return scored_verdict(
            name, judged, scores.boxes, decision.aggregation, decision, warnings, video.metadata
        )
