"""One training run's results on videos or pictures, from the folder of an ``evaluate`` or from a fold."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.results import FoldResult, JudgedVideo
from deepfake_ssat.protocols.settings import deciding_settings, with_trainings_before

REPORT_FILE, VIDEOS_FILE, PICTURES_FILE = "report.json", "videos.csv", "pictures.csv"


@dataclass(frozen=True, kw_only=True)
class JudgedRun(ABC):
    """What is known of a run, whatever it judged."""

    source: str
    """The folder."""
    seed: int | None
    """Of the training; None where the checkpoint does not say."""
    settings: Mapping[str, Any] | None
    """The experiment without its seed and what differs between machines; None where it does not say."""
    scores_from: str
    """SHA-256 of what the scores are from: the checkpoint, or the file in which they were given."""
    manifest_sha256: str | None = None
    """None for pictures, and for scores that were given."""
    doubts: tuple[str, ...] = ()
    """What makes the result too good."""

    @property
    @abstractmethod
    def labels(self) -> Mapping[str, int | str]:
        """Of each video or picture, by name."""


@dataclass(frozen=True, kw_only=True)
class VideoRun(JudgedRun):
    """The labelled videos with one run's scores."""

    threshold: float | None
    """The validation threshold."""
    videos: Mapping[str, JudgedVideo]
    """By name."""

    @property
    def labels(self) -> Mapping[str, int]:
        """REAL or FAKE."""
        return {name: video.label for name, video in self.videos.items()}


@dataclass(frozen=True)
class JudgedPicture:
    """The class that a picture has, and where the model ranks it."""

    label: str
    rank: int
    """Among all classes, 1 for the highest."""
    second: float
    """The probability of the second of two classes; of more, nothing that can be compared."""


@dataclass(frozen=True, kw_only=True)
class PictureRun(JudgedRun):
    """The labelled pictures with one run's rank of each one's class."""

    seen: str
    """Which set and split, and how its pictures were changed."""
    classes: tuple[str, ...]
    """Of the set, in its order."""
    pictures: Mapping[str, JudgedPicture]
    """By name."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The class's name."""
        return {name: picture.label for name, picture in self.pictures.items()}


def run_of_fold(fold: FoldResult, source: str) -> VideoRun:
    """One fold's model on what it held out."""
    return VideoRun(
        source=source,
        seed=fold.settings.get("seed"),
        settings=with_trainings_before(deciding_settings(fold.settings), fold.facts.get("before")),
        scores_from=fold.checkpoint_sha256,
        manifest_sha256=fold.manifest_sha256,
        threshold=fold.threshold,
        videos={video.name: video for video in fold.videos},
    )


def read_evaluation(folder: Path) -> VideoRun | PictureRun:
    """What ``evaluate`` wrote there; raises ConfigError where it is not whole."""
    of_pictures = (folder / PICTURES_FILE).is_file() and not (folder / VIDEOS_FILE).exists()
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        lines = _lines(folder / (PICTURES_FILE if of_pictures else VIDEOS_FILE))
        return _of_pictures(folder, report, lines) if of_pictures else _of_videos(folder, report, lines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{folder}: cannot be read as a result of evaluate ({error}); evaluate again"
        ) from error


def _lines(path: Path) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))


def _of_videos(folder: Path, report: Any, lines: Iterator[dict[str, str]]) -> VideoRun:
    given = report.get("scores")
    videos = [
        JudgedVideo(f"{line['corpus']}/{line['video_id']}", int(line["label"]), float(line["probability"]))
        for line in lines
        if line["status"] == "scored" and line["label"]
    ]
    seed, settings = (None, None) if given else _training(report["checkpoint"]["provenance"])
    return VideoRun(
        source=str(folder),
        seed=seed,
        settings=settings,
        scores_from=(given or report["checkpoint"])["sha256"],
        manifest_sha256=None if given else report["manifest"]["sha256"],
        threshold=report["threshold"]["value"],
        videos={video.name: video for video in videos},
    )


def _of_pictures(folder: Path, report: Any, lines: Iterator[dict[str, str]]) -> PictureRun:
    data, scoring = report["data"], report["scoring"]
    spoiled = scoring["perspective"]
    classes = tuple(one["name"] for one in report["classes"])
    seed, settings = _training(report["checkpoint"]["provenance"])
    return PictureRun(
        source=str(folder),
        seed=seed,
        settings=settings,
        scores_from=report["checkpoint"]["sha256"],
        doubts=tuple(report["warnings"]),
        seen=f"{data.get('domain') or data['kind']}, split {scoring['split']}"
        + ("" if spoiled is None else f", perspective {spoiled:g}, seed {scoring['seed']}"),
        classes=classes,
        pictures={line["name"]: _picture(line, classes) for line in lines},
    )


def _picture(line: Mapping[str, str], classes: Sequence[str]) -> JudgedPicture:
    probability = float(line["probability"])
    second = probability if line["predicted"] == classes[1] else 1 - probability
    return JudgedPicture(line["label"], int(line["rank"]), second)


def _training(provenance: Mapping[str, Any]) -> tuple[int | None, Mapping[str, Any] | None]:
    """The seed and the settings that decide, where the checkpoint says how it was trained."""
    config = provenance.get("config")
    if not config:
        return None, None
    return config.get("seed"), with_trainings_before(deciding_settings(config), provenance.get("before"))
