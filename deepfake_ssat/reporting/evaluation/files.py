"""An evaluation as JSON and CSV for programs; docs/evaluate_report.md documents every key."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES
from deepfake_ssat.records import DroppedVideo, EvalGroup, EvalReport, EvaluatedVideo
from deepfake_ssat.version import __version__

SCHEMA_VERSION = "1.0"
"""Raised in its second part when keys are added, in its first when one changes or goes."""

VIDEO_COLUMNS: tuple[str, ...] = (
    "corpus",
    "video_id",
    "split",
    "label",
    "manipulation",
    "compression",
    "status",
    "probability",
    "faces",
    "clips",
    "people",
    "detail",
)


def report_json(report: EvalReport) -> str:
    """The whole report but the scores of single videos and clips, indented."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "deepfake-ssat", "version": __version__},
        **report.provenance,
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES},
        "threshold": {"value": report.threshold, "source": report.threshold_source},
        "counts": counts(report),
        "groups": [_group(group, report.unit) for group in report.groups],
        "dropped": [asdict(video) for video in report.dropped],
        "warnings": list(report.warnings),
    }
    return json.dumps(document, indent=2, allow_nan=False, default=str) + "\n"


def counts(report: EvalReport) -> dict[str, int]:
    """How many videos were scored, measured and dropped."""
    return {
        "videos_scored": len(report.videos),
        "videos_unlabelled": sum(video.label is None for video in report.videos),
        "videos_dropped": len(report.dropped),
        "clips_scored": sum(len(video.clips) for video in report.videos),
    }


def videos_csv(report: EvalReport) -> str:
    """One line a video under ``VIDEO_COLUMNS``: the scored ones, then the dropped ones with their reasons."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, VIDEO_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_scored_line, report.videos))
    writer.writerows(map(_dropped_line, report.dropped))
    return text.getvalue()


def _group(group: EvalGroup, unit: str) -> dict[str, Any]:
    """The clip metrics are named by what was scored, so that nobody takes them for video metrics."""
    values = asdict(group)
    measured = values.pop("clip")
    return {**values, unit: measured}


def _scored_line(video: EvaluatedVideo) -> dict[str, Any]:
    return {
        "corpus": video.corpus,
        "video_id": video.video_id,
        "split": video.split,
        "label": "" if video.label is None else video.label,
        "manipulation": video.manipulation,
        "compression": video.compression,
        "status": "scored",
        "probability": f"{video.probability:.9g}",
        "faces": ";".join(f"{face.track_id}:{face.probability:.6f}" for face in video.verdict.faces),
        "clips": len(video.clips),
        "people": ";".join(video.people),
    }


def _dropped_line(video: DroppedVideo) -> dict[str, Any]:
    return {
        "corpus": video.corpus,
        "video_id": video.video_id,
        "split": video.split,
        "label": "" if video.label is None else video.label,
        "manipulation": video.manipulation,
        "compression": video.compression,
        "status": video.reason.value,
        "clips": 0,
        "detail": video.detail,
    }
