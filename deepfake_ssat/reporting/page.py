"""One video's report for people: a single HTML file that needs nothing else.

Its numbers are those of the JSON document of ``detection_report.py``, rounded as people read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.inference.explanation import Explanation, FaceMoment
from deepfake_ssat.records import longer_side
from deepfake_ssat.reporting import verdict_words as words
from deepfake_ssat.reporting.filmstrips import filmstrip, thumbnail
from deepfake_ssat.reporting.full_frames import FullFrame
from deepfake_ssat.reporting.html import date_text, filled_template, jpeg_address, png_address, shown_path
from deepfake_ssat.reporting.report_facts import file_rows, model_rows, not_analysed, policy
from deepfake_ssat.reporting.score_timeline import timeline_svg

DETAILED_FACES = 12
"""Faces with their crops over time; of more, the overview shows one each."""
PLAYABLE = {".mp4", ".m4v", ".mov"}
"""What browsers play of the marked copies that ``annotate`` writes."""


def render_report(
    document: Mapping[str, Any],
    explanation: Explanation,
    contract: ExtractionSettings,
    frames: Sequence[FullFrame],
    *,
    command: str,
    marked_copy: str = "",
) -> bytes:
    """The HTML of the one video in a JSON document, whatever its status.

    ``command`` repeats it; ``marked_copy`` is the annotated video, relative to the page, where there is one.
    """
    video = document["videos"][0]
    verdict = explanation.verdict
    return filled_template(
        "report.html",
        name=Path(video["path"]).name,
        headline=words.headline(verdict.status, verdict.verdict),
        kind=video["verdict"] or video["status"],
        finding=words.finding(document, video),
        bar=_bar(document, video),
        facts=_first_facts(document, video, contract),
        note=document["note"],
        judged_at=date_text(video["judged_at"]),
        warnings=[_sentence(warning, video["path"]) for warning in video["warnings"]],
        marked_copy=marked_copy,
        is_playable=Path(marked_copy).suffix.lower() in PLAYABLE,
        faces=_faces(document, explanation, frames),
        num_detailed=DETAILED_FACES,
        standing_out=words.standing_out(document, video),
        policy=policy(document),
        clips=video["clips"],
        timeline=_timeline(document, explanation),
        is_still=words.is_still(video),
        clip_frames=contract.frames,
        limits=words.limits_of(document),
        frames=[_frame(frame) for frame in frames],
        strips=_strips(explanation, video),
        has_errors=any(clip.reconstruction_error is not None for clip in explanation.clips),
        file=file_rows(video["path"], verdict.file, verdict.metadata),
        not_analysed=not_analysed(document, explanation, contract),
        model=model_rows(document, contract),
        command=command,
    )


def _sentence(text: str, path: str) -> str:
    """Without the video's folder; what does not begin with its name begins with a capital."""
    shown = text.replace(path, shown_path(path))
    return shown if text.startswith(path) else shown[:1].upper() + shown[1:]


def _bar(document: Mapping[str, Any], video: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where the score lies between real, the band and fake, in percent of the bar."""
    if video["probability"] is None:
        return None
    low, high = words.limits_of(document)
    return {
        "low": 100 * low,
        "high": 100 * high,
        "score": 100 * video["probability"],
        "text": words.probability_text(video["probability"], (low, high)),
    }


def _first_facts(
    document: Mapping[str, Any], video: Mapping[str, Any], contract: ExtractionSettings
) -> list[tuple[str, str]]:
    facts = (
        ("Do next", words.next_step(document, video)),
        ("How often such a verdict was wrong", words.how_often_wrong(document, video)),
        ("Known misses", words.known_misses(document) if video["verdict"] else ""),
        ("Looked at", words.looked_at(video, contract.frames)),
    )
    return [(name, text) for name, text in facts if text]


def _faces(
    document: Mapping[str, Any], explanation: Explanation, frames: Sequence[FullFrame]
) -> list[dict[str, Any]]:
    """The deciding face first, then the most suspicious; the first few with their crops over time."""
    video, limits = document["videos"][0], words.limits_of(document)
    places = {frame.index for frame in frames}
    entries = {face["track_id"]: face for face in video["faces"]}
    faces = []
    for number, judged in enumerate(explanation.verdict.faces_by_suspicion):
        face = entries[judged.track_id]
        seen = explanation.faces[face["track_id"]]
        pictured = number < DETAILED_FACES
        faces.append(
            {
                **face,
                "kind": words.kind_of(face, limits),
                "is_too_small": words.is_too_small(face),
                "decided": face["track_id"] == video["decided_by"] and len(entries) > 1,
                "side": f"{longer_side(face['box']):.0f}",
                "thumbnail": jpeg_address(thumbnail(seen.spread[0].pixels)),
                "spread": [_moment(moment, places) for moment in seen.spread] if pictured else [],
                "extremes": _extremes(seen.highest, seen.lowest, places) if pictured else [],
            }
        )
    return faces


def _moment(moment: FaceMoment, places: set[int]) -> dict[str, Any]:
    return {
        "frame": moment.frame_index,
        "has_frame": moment.frame_index in places,
        "seconds": moment.seconds,
        "probability": moment.probability,
        "picture": jpeg_address(thumbnail(moment.pixels)),
    }


def _extremes(highest: FaceMoment, lowest: FaceMoment, places: set[int]) -> list[dict[str, Any]]:
    """The most and the least suspicious crop at full size; one where the face has one clip."""
    named = [("Most suspicious", highest)]
    if lowest.frame_index != highest.frame_index:
        named.append(("Least suspicious", lowest))
    return [
        {
            **_moment(moment, places),
            "name": name,
            "picture": png_address(moment.pixels),
            "side": len(moment.pixels),
        }
        for name, moment in named
    ]


def _frame(frame: FullFrame) -> dict[str, Any]:
    height, width, _ = frame.pixels.shape
    return {
        "index": frame.index,
        "seconds": frame.seconds,
        "tracks": frame.tracks,
        "picture": jpeg_address(frame.pixels),
        "width": width,
        "height": height,
    }


def _timeline(document: Mapping[str, Any], explanation: Explanation) -> str | None:
    verdict = explanation.verdict
    if not verdict.clips or (verdict.metadata and verdict.metadata.is_still):
        return None
    low, high = words.limits_of(document)
    return timeline_svg(
        verdict.clips,
        [face.track_id for face in verdict.faces_by_suspicion],
        duration=verdict.metadata.duration_seconds if verdict.metadata else None,
        uncertain_low=low,
        uncertain_high=high,
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
        {**entries[id(clip.score)], "picture": png_address(filmstrip(clip, evidence_scale, error_scale))}
        for clip in explanation.clips
    ]
