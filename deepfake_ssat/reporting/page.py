"""One video's report for people: a single HTML file that needs nothing else.

Its numbers are taken from the JSON document of ``detection_report.py``, so that both agree to the digit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.inference.explanation import Explanation
from deepfake_ssat.records import Status, Verdict, VideoMetadata
from deepfake_ssat.reporting.filmstrips import filmstrip, png, thumbnail
from deepfake_ssat.reporting.score_timeline import timeline_svg
from deepfake_ssat.version import __version__

HEADLINES = {
    Verdict.FAKE: "Looks manipulated",
    Verdict.REAL: "No sign of manipulation found",
    Verdict.UNCERTAIN: "Cannot tell",
}
NOT_SCORED = {
    Status.NO_FACE: ("No verdict: no face was found", "Nothing was judged, since no face was found."),
    Status.TOO_SHORT: (
        "No verdict: no face is visible for long enough",
        "Nothing was judged, since no face could be followed for as many frames as one clip takes.",
    ),
    Status.UNREADABLE: ("No verdict: the video cannot be read", "Nothing was judged."),
}


@dataclass(frozen=True)
class FileFacts:
    """What identifies the judged file."""

    size: int
    """Bytes."""
    sha256: str


def render_report(
    document: Mapping[str, Any],
    explanation: Explanation,
    facts: FileFacts,
    contract: ExtractionSettings,
    *,
    command: str,
) -> bytes:
    """The HTML of the one video in a JSON document, whatever its status."""
    video = document["videos"][0]
    verdict = explanation.verdict
    return filled_template(
        "report.html",
        name=Path(video["path"]).name,
        headline=headline(verdict.status, verdict.verdict),
        verdict_class=video["verdict"] or video["status"],
        explanation=_in_words(document, video),
        warnings=video["warnings"],
        faces=[
            {**face, "thumbnail": _face_picture(explanation, face["track_id"])} for face in video["faces"]
        ],
        clips=video["clips"],
        timeline=_timeline(document, explanation),
        strips=_strips(explanation, video),
        has_errors=any(clip.reconstruction_error is not None for clip in explanation.clips),
        facts=_file_rows(video["path"], facts, verdict.metadata),
        not_analysed=_not_analysed(document, explanation, contract),
        model=_model_rows(document, contract),
        policy=_policy(document),
        frames=contract.frames,
        uncertain_low=document["checkpoint"]["uncertain_low"],
        uncertain_high=document["checkpoint"]["uncertain_high"],
        command=command,
    )


def headline(status: Status, verdict: Verdict | None) -> str:
    """The result in a few words."""
    return NOT_SCORED[status][0] if verdict is None else HEADLINES[verdict]


def probability_text(probability: float | None) -> str:
    """Six digits, as in the JSON and CSV files; empty for an unscored video."""
    return "" if probability is None else f"{probability:.6f}"


def filled_template(template: str, /, **values: Any) -> bytes:
    """A page of this package: everything escaped, unknown names refused.

    UTF-8; the bytes of a file name that are not become escapes, such as ``caf\\udce9.mp4``.
    """
    environment = Environment(
        loader=PackageLoader("deepfake_ssat.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["probability"] = probability_text
    environment.filters["seconds"] = lambda seconds: f"{seconds:.2f}"
    page = environment.get_template(template).render(version=__version__, **values)
    return page.encode("utf-8", "backslashreplace")


def _in_words(document: Mapping[str, Any], video: Mapping[str, Any]) -> str:
    """The verdict's sentence, with the number it rests on."""
    if video["probability"] is None:
        return NOT_SCORED[Status(video["status"])][1]
    low, high = document["checkpoint"]["uncertain_low"], document["checkpoint"]["uncertain_high"]
    side = {
        Verdict.FAKE: f"at or above {high}, from where this checkpoint calls a video manipulated",
        Verdict.REAL: f"below {low}, under which this checkpoint finds no sign of manipulation",
        Verdict.UNCERTAIN: f"in the band from {low} to {high}, in which this checkpoint claims nothing",
    }[Verdict(video["verdict"])]
    probability = probability_text(video["probability"])
    return f"The model gives a probability of {probability} that a face is manipulated: {side}."


def _face_picture(explanation: Explanation, track: int) -> str | None:
    picture = explanation.thumbnails.get(track)
    return None if picture is None else _data_address(thumbnail(picture))


def _timeline(document: Mapping[str, Any], explanation: Explanation) -> str | None:
    verdict = explanation.verdict
    if not verdict.clips:
        return None
    return timeline_svg(
        verdict.clips,
        duration=verdict.metadata.duration_seconds if verdict.metadata else None,
        uncertain_low=document["checkpoint"]["uncertain_low"],
        uncertain_high=document["checkpoint"]["uncertain_high"],
    )


def _strips(explanation: Explanation, video: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The explained clips as pictures, each with its entry in the JSON document."""
    evidence_scale = max((float(clip.evidence.max()) for clip in explanation.clips), default=1.0)
    errors = [
        clip.reconstruction_error for clip in explanation.clips if clip.reconstruction_error is not None
    ]
    error_scale = max((float(error.max()) for error in errors), default=1.0)
    entries = {
        id(score): entry for score, entry in zip(explanation.verdict.clips, video["clips"], strict=True)
    }
    return [
        {**entries[id(clip.score)], "picture": _data_address(filmstrip(clip, evidence_scale, error_scale))}
        for clip in explanation.clips
    ]


def _data_address(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def _file_rows(path: str, facts: FileFacts, metadata: VideoMetadata | None) -> list[tuple[str, str]]:
    rows = [("Path", path), ("Size", f"{facts.size:,} bytes"), ("SHA-256", facts.sha256)]
    if metadata is None:
        return rows
    duration = metadata.duration_seconds
    turned = f", turned by {metadata.rotation}°" if metadata.rotation else ""
    return [
        *rows,
        ("Codec", metadata.codec),
        ("Picture", f"{metadata.width} × {metadata.height} pixels{turned}"),
        ("Frame rate", f"{metadata.fps:.3f} frames a second"),
        ("Duration", "not announced" if duration is None else f"{duration:.2f} s"),
    ]


def _not_analysed(
    document: Mapping[str, Any], explanation: Explanation, contract: ExtractionSettings
) -> list[str]:
    """Sound, other parts of the picture, and the times outside the clips."""
    lines = ["The sound, and everything in the picture outside the faces."]
    verdict = explanation.verdict
    duration = verdict.metadata.duration_seconds if verdict.metadata else None
    if verdict.clips and duration:
        covered, reached = 0.0, 0.0
        for start, end in sorted((clip.start_seconds, clip.end_seconds) for clip in verdict.clips):
            covered += max(end - max(start, reached), 0.0)
            reached = max(reached, end)
        left_out, clips = max(duration - covered, 0.0), document["settings"]["clips"]
        how = (
            "times without a face"
            if clips == "all"
            else f"{clips} clips stand for the video; --clips all reads it whole"
        )
        lines.append(f"{left_out:.1f} of {duration:.1f} seconds: {how}.")
    lines.append(
        f"Faces smaller than {contract.min_face_size:g} pixels, and faces seen for less than "
        f"{contract.frames * contract.frame_stride} frames in a row."
    )
    return [*lines, *explanation.notes]


def _policy(document: Mapping[str, Any]) -> str:
    rules = document["settings"]["aggregation"]
    return f"the {rules['clips']} over a face's clips; the video takes the {rules['faces']} over its faces"


def _model_rows(document: Mapping[str, Any], contract: ExtractionSettings) -> list[tuple[str, Any]]:
    checkpoint, settings = document["checkpoint"], document["settings"]
    # Results that an older version wrote have no such key.
    calibration = checkpoint.get("calibration")
    return [
        ("Checkpoint", checkpoint["path"]),
        ("SHA-256 of the checkpoint", checkpoint["sha256"]),
        ("Threshold", checkpoint["threshold"]),
        *([("Calibration", calibration["meaning"])] if calibration else []),
        ("Scores", _policy(document)),
        ("Clips", settings["clips"]),
        (
            "Device and precision",
            f"{settings['device']}, {settings['precision']}, computed by {settings['backend']}",
        ),
        ("Video reader", settings["reader"]),
        ("Face extraction", ", ".join(f"{name} {value}" for name, value in contract.model_dump().items())),
    ]
