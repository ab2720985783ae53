"""The tables of a report: what is known of the file, what was not analysed, which model judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.inference.explanation import Explanation
from deepfake_ssat.models.decision import SMALL_FACE
from deepfake_ssat.records import FileFacts, VideoMetadata
from deepfake_ssat.reporting.html import date_text, shown_path
from deepfake_ssat.reporting.verdict_words import covered_seconds


def file_rows(path: str, facts: FileFacts | None, metadata: VideoMetadata | None) -> list[tuple[str, str]]:
    """Name, size, hash and dates, and what the container says."""
    rows = [("File", shown_path(path))]
    if facts is not None:
        rows += [("Size", f"{facts.size_bytes:,} bytes"), ("SHA-256", facts.sha256)]
        rows += [("Date of the file", date_text(facts.modified))] if facts.modified else []
    if metadata is None:
        return rows
    turned = f", turned by {metadata.rotation}°" if metadata.rotation else ""
    return [
        *rows,
        ("Codec", metadata.codec),
        ("Written by", metadata.encoder or "the file does not say"),
        ("Created, by its own word", metadata.created or "the file does not say"),
        ("Picture", f"{metadata.width} × {metadata.height} pixels{turned}"),
        *([] if metadata.is_still else _running(metadata)),
    ]


def _running(metadata: VideoMetadata) -> list[tuple[str, str]]:
    duration = metadata.duration_seconds
    return [
        ("Frame rate", f"{round(metadata.fps, 3):g} frames a second"),
        ("Duration", "not announced" if duration is None else f"{duration:.2f} s"),
    ]


def not_analysed(
    document: Mapping[str, Any], explanation: Explanation, contract: ExtractionSettings
) -> list[str]:
    """Sound, other parts of the picture, and the times outside the clips."""
    verdict = explanation.verdict
    if verdict.metadata and verdict.metadata.is_still:
        smallest = f"Faces smaller than {contract.min_face_size:g} pixels."
        return ["Everything in the picture outside the faces.", smallest, *explanation.notes]
    lines = ["The sound, and everything in the picture outside the faces."]
    duration = verdict.metadata.duration_seconds if verdict.metadata else None
    if verdict.clips and duration:
        left_out = max(duration - covered_seconds(document["videos"][0]), 0.0)
        clips = document["settings"]["clips"]
        how = (
            "no face, or not one for as many frames as a clip takes"
            if clips == "all"
            else f"{clips} clips stand for the video; --clips all reads it whole"
        )
        lines.append(f"{left_out:.1f} of {duration:.1f} seconds: {how}.")
    lines.append(
        f"Faces smaller than {contract.min_face_size:g} pixels, and faces seen for less than "
        f"{contract.frames * contract.frame_stride} frames in a row."
    )
    return [*lines, *explanation.notes]


def policy(document: Mapping[str, Any]) -> str:
    """How scores of clips become the video's."""
    rules = document["settings"]["aggregation"]
    of_video = {
        "large": f"the highest of its faces of at least {SMALL_FACE:g} pixels",
        "max": "the highest of its faces",
        "mean": "the mean of its faces",
    }[rules["faces"]]
    return f"the {rules['clips']} over a face's clips; the video has {of_video}"


def model_rows(document: Mapping[str, Any], contract: ExtractionSettings) -> list[tuple[str, Any]]:
    """Program, weights and settings."""
    checkpoint, settings = document["checkpoint"], document["settings"]
    # Results that an older version wrote have no such key.
    calibration = checkpoint.get("calibration")
    return [
        ("Program", f"deepfake-ssat {document['program']['version']}"),
        ("Weights", shown_path(checkpoint["path"])),
        ("SHA-256 of the weights", checkpoint["sha256"]),
        ("Threshold", f"{checkpoint['threshold']:.2f}"),
        *([("Calibration", calibration["meaning"])] if calibration else []),
        ("Scores", policy(document)),
        ("Clips", settings["clips"]),
        (
            "Device and precision",
            f"{settings['device']}, {settings['precision']}, computed by {settings['backend']}",
        ),
        ("Video reader", settings["reader"]),
        ("Face extraction", ", ".join(f"{name} {value}" for name, value in contract.model_dump().items())),
    ]
