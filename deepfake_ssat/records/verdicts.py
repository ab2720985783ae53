"""What is found of a video, from detector to page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from deepfake_ssat.records.record import Box, Record, Status, Verdict
from deepfake_ssat.records.videos import FileFacts, VideoMetadata


@dataclass(frozen=True)
class ClipScore(Record):
    """The model's answer on one clip."""

    track_id: int
    start_seconds: float
    end_seconds: float
    probability: float
    """Of fake, in [0, 1]."""

    def __repr__(self) -> str:
        span = f"{self.start_seconds:.2f}-{self.end_seconds:.2f} s"
        return f"ClipScore(face {self.track_id}, {span}: {self.probability:.3f})"


@dataclass(frozen=True)
class FaceVerdict(Record):
    """One face of one video."""

    track_id: int
    start_seconds: float
    end_seconds: float
    box: Box
    """The mean over the analysed frames."""
    probability: float
    num_clips: int
    is_too_small: bool = False
    """It does not decide beside larger faces, and no claim rests on it."""

    def __repr__(self) -> str:
        return f"FaceVerdict(face {self.track_id}: {self.probability:.3f}, {self.num_clips} clips)"


def counting_faces(faces: Sequence[FaceVerdict]) -> Sequence[FaceVerdict]:
    """Those that a video's probability rests on: not the too small ones, unless there are no others."""
    return [face for face in faces if not face.is_too_small] or faces


@dataclass(frozen=True)
class VideoVerdict(Record):
    """What is found of one video, from detector to page; the probability is None unless it was scored."""

    path: str
    status: Status
    probability: float | None = None
    """Of fake, in [0, 1]."""
    verdict: Verdict | None = None
    """None for an unscored video, and where scores were put together in a way that no threshold is for."""
    faces: tuple[FaceVerdict, ...] = ()
    clips: tuple[ClipScore, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: VideoMetadata | None = None
    decided_by: int | None = None
    """The track whose probability is the video's; None unscored, and by a rule that takes several."""
    file: FileFacts | None = None
    """None for frames from memory, and for a file that may not be read."""
    judged_at: str = field(default="", compare=False)
    """ISO 8601 in UTC; empty for scores of stored clips."""

    def __repr__(self) -> str:
        said = f"{self.status}" if self.probability is None else f"{self.verdict} {self.probability:.3f}"
        return f"VideoVerdict({self.path!r}: {said}, {len(self.faces)} faces, {len(self.clips)} clips)"

    @property
    def faces_by_suspicion(self) -> list[FaceVerdict]:
        """The face that decided, then the highest probabilities; of equal ones the earlier track."""
        return sorted(
            self.faces, key=lambda face: (face.track_id != self.decided_by, -face.probability, face.track_id)
        )

    def __post_init__(self) -> None:
        if (self.probability is None) == (self.status is Status.SCORED):
            raise ValueError(f"status {self.status.value} with probability {self.probability}")


@dataclass(frozen=True)
class EvaluatedVideo(Record):
    """What a manifest says of a video, and the verdict on all its stored clips."""

    corpus: str
    video_id: str
    label: int | None
    manipulation: str
    split: str
    compression: str
    people: tuple[str, ...]
    """Its identities and its group, as ``manifest.people`` names them."""
    verdict: VideoVerdict
    """Scored; its path is relative to the corpus root."""

    def __post_init__(self) -> None:
        if self.verdict.probability is None:
            raise ValueError(f"{self.name} was not scored: {self.verdict.status.value}")

    @property
    def name(self) -> str:
        """``corpus/video_id``, which no other video has."""
        return f"{self.corpus}/{self.video_id}"

    @property
    def probability(self) -> float:
        """The verdict's."""
        assert self.verdict.probability is not None
        return self.verdict.probability

    @property
    def clips(self) -> tuple[ClipScore, ...]:
        """The verdict's."""
        return self.verdict.clips
