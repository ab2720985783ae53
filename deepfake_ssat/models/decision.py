"""From logits to clips', faces' and videos' probabilities of fake, from these to a verdict, and its limits.

B batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.records import FAKE, REAL, Box, ClipScore, Verdict, longer_side

if TYPE_CHECKING:
    from torch import Tensor

CLIP_RULES: dict[str, Callable[[Sequence[float]], float]] = {"mean": fmean, "median": median, "max": max}
FACE_RULES: dict[str, Callable[[Sequence[float]], float]] = {"large": max, "max": max, "mean": fmean}
SMALL_FACE = 80.0
"""Pixels of the longer side: scores of smaller faces tell little (docs/weights.md, "How small a face")."""


@dataclass(frozen=True)
class AggregationPolicy:
    """How scores are put together: the paper's mean over all clips, then the most suspicious large face."""

    clips: str = "mean"
    """Over a face's clips: mean, median or max."""
    faces: str = "large"
    """Over a video's faces: max, mean, or large, which is the highest of those of ``SMALL_FACE`` and more.

    By ``large`` smaller faces count only where there are no others, and nothing is claimed then.
    """

    def __post_init__(self) -> None:
        for name, rules in (("clips", CLIP_RULES), ("faces", FACE_RULES)):
            if getattr(self, name) not in rules:
                raise ConfigError(
                    f"{name} policy {getattr(self, name)!r} is not known: use {', '.join(rules)}"
                )

    def changed(self, clip_rule: str | None, face_rule: str | None) -> AggregationPolicy:
        """With other rules where some are given."""
        return AggregationPolicy(clip_rule or self.clips, face_rule or self.faces)

    def in_words(self) -> str:
        """For results: ``mean over a face's clips, max over a video's faces``."""
        faces = f"max over a video's faces of {SMALL_FACE:g} px and more"
        others = f"{self.faces} over a video's faces"
        return f"{self.clips} over a face's clips, {faces if self.faces == 'large' else others}"

    def is_too_small(self, face: Box) -> bool:
        """Whether a face neither decides beside larger ones nor bears a claim."""
        return self.faces == "large" and longer_side(face) < SMALL_FACE

    def face_probabilities(self, clips: Iterable[ClipScore]) -> dict[int, float]:
        """Clip scores of one video -> the probability of each face, by track."""
        by_track: dict[int, list[float]] = {}
        for clip in clips:
            by_track.setdefault(clip.track_id, []).append(clip.probability)
        return {track: float(CLIP_RULES[self.clips](by_track[track])) for track in sorted(by_track)}

    def deciding_track(self, faces: Mapping[int, float]) -> int | None:
        """The track whose probability is the video's, of equal ones the first; None where all of them are.

        ``faces`` are those that count.
        """
        return None if self.faces == "mean" else max(sorted(faces), key=lambda track: faces[track])

    def video_probability(self, faces: Iterable[float]) -> float:
        """The probabilities of the faces that count, at least one, -> the video's."""
        return float(FACE_RULES[self.faces](list(faces)))


@dataclass(frozen=True)
class Wording:
    """What a calibration's examples and their two classes are called."""

    unit: str
    """One example."""
    classes: tuple[str, str]
    """Before the unit."""
    verdicts: tuple[str, str]
    """What is said of one."""
    others: str
    """The examples that a cross-fit did not see."""

    def says(self, verdict: Verdict) -> str:
        """The word for a verdict."""
        if verdict is Verdict.UNCERTAIN:
            return verdict.value
        return self.verdicts[FAKE if verdict is Verdict.FAKE else REAL]


OF_VIDEOS = Wording("video", ("genuine", "manipulated"), ("real", "fake"), "other people's videos")


def wording_of_pictures(classes: tuple[str, str]) -> Wording:
    """By the names of the two classes; a set without names has numbers."""
    first, second = (f"class {name}" if name.isdigit() else name for name in classes)
    return Wording("picture", (first, second), (first, second), "other pictures")


@dataclass(frozen=True)
class ErrorLimit:
    """How often one class was misjudged on the calibration videos, and how often it may be elsewhere."""

    errors: int
    videos: int
    """Of the class."""
    allowed: float
    """The chosen share: ``errors / videos`` is at most this."""
    upper_limit: float
    """With 95 % confidence the share among all videos of this kind is at most this (Clopper-Pearson)."""


@dataclass(frozen=True)
class CrossFit:
    """What the calibration videos were called by decisions fitted on other people's videos, part by part."""

    parts: int
    false_alarms: int
    """Genuine videos called fake."""
    misses: int
    """Manipulated videos called real."""
    uncertain: int
    """Of both."""


@dataclass(frozen=True)
class Calibration:
    """What ``calibrate`` fitted a decision on, and what its limits mean."""

    method: str
    """``temperature`` or ``platt``."""
    false_alarms: ErrorLimit
    """Genuine videos called fake."""
    misses: ErrorLimit
    """Manipulated videos called real."""
    manifests: tuple[str, ...]
    """SHA-256 of each manifest that the videos are of."""
    splits: tuple[str, ...]
    checkpoint_sha256: str
    """Of the file with the same weights before."""
    elsewhere: CrossFit | None = None
    """None: the videos could not be parted by people, or an older version calibrated."""

    @property
    def wording(self) -> Wording:
        """What it calls its examples."""
        return OF_VIDEOS

    def in_words(self) -> str:
        """What each verdict means."""
        alarms, misses = self.false_alarms, self.misses
        units = f"{self.wording.unit}s"
        (genuine, manipulated), (real, fake) = self.wording.classes, self.wording.verdicts
        return (
            f"Calibrated on {alarms.videos} {genuine} and {misses.videos} {manipulated} {units}. "
            f'"{fake}" is said from the probability on that at most {100 * alarms.allowed:g} % of '
            f"the {genuine} ones reach ({alarms.errors} of {alarms.videos}; of other such {units}, with "
            f"95 % confidence, at most {100 * alarms.upper_limit:.1f} %). "
            f'"{real}" is said below the one under which at most {100 * misses.allowed:g} % of the '
            f"{manipulated} ones lie ({misses.errors} of {misses.videos}; of others at most "
            f"{100 * misses.upper_limit:.1f} %). Between the two nothing is claimed."
            f"{self._elsewhere_in_words()}"
        )

    def _elsewhere_in_words(self) -> str:
        found = self.elsewhere
        if found is None:
            return ""
        units = f"{self.wording.unit}s"
        (genuine, manipulated), (real, fake) = self.wording.classes, self.wording.verdicts
        reals, fakes = self.false_alarms.videos, self.misses.videos
        asked = "people of the part" if self.wording == OF_VIDEOS else "part"
        return (
            f" Fitted anew on {found.parts - 1} of {found.parts} parts of these {units}, and asked about the "
            f"{asked} left out: {found.false_alarms} of {reals} {genuine} ones were called {fake}, "
            f"{found.misses} of {fakes} {manipulated} ones {real}, {found.uncertain} of "
            f"{reals + fakes} uncertain."
        )


@dataclass(frozen=True)
class PictureCalibration(Calibration):
    """That of a model of pictures of two classes: everything above is of pictures.

    The first class has the place of genuine videos, the second that of manipulated ones; ``manifests`` are
    SHA-256 of the pictures' names and labels.
    """

    classes: tuple[str, str] = ("0", "1")
    """Their names."""

    @property
    def wording(self) -> Wording:
        """By the names of the classes."""
        return wording_of_pictures(self.classes)


@dataclass(frozen=True)
class Decision:
    """How logits become a probability and a probability a verdict; chosen on validation data."""

    threshold: float = 0.5
    uncertain_low: float = 0.4
    uncertain_high: float = 0.6
    """From ``uncertain_low`` up to here nothing is claimed; both equal to the threshold: always a claim."""
    temperature: float = 1.0
    """The difference of the logits is divided by it."""
    bias: float = 0.0
    """Added to that before the sigmoid."""
    calibration: Calibration | None = None
    """None: training chose the threshold and the band, on the videos that it validated on."""
    aggregation: AggregationPolicy = field(default_factory=AggregationPolicy)
    """How the probabilities come about that threshold and band were chosen for."""

    def __post_init__(self) -> None:
        ordered = 0.0 <= self.uncertain_low <= self.threshold <= self.uncertain_high <= 1.0
        if not ordered or not self.temperature > 0.0 or not abs(self.bias) < float("inf"):
            raise CheckpointError(
                f"{self}: needs 0 <= uncertain_low <= threshold <= uncertain_high <= 1, temperature > 0 and "
                "a finite bias"
            )

    @property
    def is_chosen(self) -> bool:
        """Whether any video chose it: else threshold and band are the round numbers of every new model."""
        return self != Decision(aggregation=self.aggregation)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, 2) -> (B,): of fake."""
        return ((logits[:, FAKE] - logits[:, REAL]) / self.temperature + self.bias).sigmoid()

    def verdict(self, probability: float) -> Verdict:
        """What a probability of fake means."""
        if probability >= self.uncertain_high:
            return Verdict.FAKE
        return Verdict.REAL if probability < self.uncertain_low else Verdict.UNCERTAIN


def parse_decision(values: dict[str, Any]) -> Decision:
    """The inverse of ``asdict``; older files have no bias, no calibration and no aggregation.

    By theirs the highest face decided, of whatever size.
    """
    calibration = values.get("calibration")
    try:
        aggregation = AggregationPolicy(**values.get("aggregation", {"faces": "max"}))
    except ConfigError as error:
        raise ValueError(str(error)) from error
    parsed = {"calibration": _calibration(calibration) if calibration else None, "aggregation": aggregation}
    return Decision(**{**values, **parsed})


def _calibration(values: dict[str, Any]) -> Calibration:
    limits = {name: ErrorLimit(**values[name]) for name in ("false_alarms", "misses")}
    lists: dict[str, Sequence[str]] = {name: tuple(values[name]) for name in ("manifests", "splits")}
    crossed = values.get("elsewhere")
    elsewhere = CrossFit(**crossed) if crossed else None
    parsed = {**values, **limits, **lists, "elsewhere": elsewhere}
    if "classes" not in values:
        return Calibration(**parsed)
    return PictureCalibration(**{**parsed, "classes": tuple(values["classes"])})
