"""One training run's scores on some videos, from the folder of an ``evaluate`` or from a fold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.results import FoldResult, JudgedVideo
from deepfake_ssat.protocols.settings import deciding_settings, with_trainings_before

REPORT_FILE, VIDEOS_FILE, PICTURES_FILE = "report.json", "videos.csv", "pictures.csv"


@dataclass(frozen=True)
class JudgedRun:
    """What is compared: the labelled videos with one run's scores."""

    source: str
    """The folder."""
    seed: int | None
    """Of the training; None where the checkpoint does not say."""
    settings: Mapping[str, Any] | None
    """The experiment without its seed and what differs between machines; None where it does not say."""
    threshold: float | None
    """The validation threshold."""
    videos: Mapping[str, JudgedVideo]
    """By name."""
    manifest_sha256: str | None
    """None for scores that were given."""
    scores_from: str
    """SHA-256 of what the scores are from: the checkpoint, or the file in which they were given."""


def run_of_fold(fold: FoldResult, source: str) -> JudgedRun:
    """One fold's model on what it held out."""
    return JudgedRun(
        source,
        fold.settings.get("seed"),
        with_trainings_before(deciding_settings(fold.settings), fold.facts.get("before")),
        fold.threshold,
        {video.name: video for video in fold.videos},
        fold.manifest_sha256,
        fold.checkpoint_sha256,
    )


def read_evaluation(folder: Path) -> JudgedRun:
    """What ``evaluate`` wrote there of videos; raises ConfigError where it is not whole, or of pictures."""
    if (folder / PICTURES_FILE).is_file() and not (folder / VIDEOS_FILE).exists():
        raise ConfigError(
            f"{folder}: is an evaluation of pictures, and compare takes those of face clips; "
            f"{PICTURES_FILE} has each picture's label and the class predicted"
        )
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        text = (folder / VIDEOS_FILE).read_text(encoding="utf-8")
        videos = [
            JudgedVideo(
                f"{line['corpus']}/{line['video_id']}", int(line["label"]), float(line["probability"])
            )
            for line in csv.DictReader(io.StringIO(text, newline=""))
            if line["status"] == "scored" and line["label"]
        ]
        given = report.get("scores")
        provenance = {} if given else report["checkpoint"]["provenance"]
        config = provenance.get("config")
        return JudgedRun(
            str(folder),
            config.get("seed") if config else None,
            with_trainings_before(deciding_settings(config), provenance.get("before")) if config else None,
            report["threshold"]["value"],
            {video.name: video for video in videos},
            None if given else report["manifest"]["sha256"],
            (given or report["checkpoint"])["sha256"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{folder}: cannot be read as a result of evaluate ({error}); evaluate again"
        ) from error
