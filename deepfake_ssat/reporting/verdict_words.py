"""A verdict in words: what was found, how often such a verdict was wrong, what to do next.

Everything is said from the JSON document (docs/detect_schema.md), with numbers as people read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepfake_ssat.records import Status, Verdict

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
NEXT_WITHOUT_SCORE = {
    Status.NO_FACE: "try all clips (--clips all), or a copy in which a face is larger",
    Status.TOO_SHORT: "try all clips (--clips all), or a longer part of the recording",
    Status.UNREADABLE: "get the file again from where it came, and see below what is wrong with it",
}
FINEST = 6
"""Digits after the point, at most."""


def headline(status: Status, verdict: Verdict | None) -> str:
    """The result in a few words."""
    return NOT_SCORED[status][0] if verdict is None else HEADLINES[verdict]


def probability_text(probability: float | None, limits: Sequence[float] = ()) -> str:
    """Such as ``0.92``: with more digits only where fewer would make it equal to one of the limits.

    Never 0 or 1, which would be certainty; empty for an unscored video.
    """
    if probability is None:
        return ""
    if probability < 0.005:
        return "<0.01"
    if probability >= 0.995:
        return ">0.99"
    digits = 2
    while digits < FINEST and any(round(probability, digits) == round(limit, digits) for limit in limits):
        digits += 1
    return f"{probability:.{digits}f}"


def limits_of(document: Mapping[str, Any]) -> tuple[float, float]:
    """From where the checkpoint claims nothing, and from where fake."""
    return document["checkpoint"]["uncertain_low"], document["checkpoint"]["uncertain_high"]


def kind_of(face: Mapping[str, Any], limits: tuple[float, float]) -> Verdict:
    """The verdict that a face would get were it alone."""
    low, high = limits
    if is_too_small(face):
        return Verdict.UNCERTAIN
    probability = face["probability"]
    return Verdict.FAKE if probability >= high else Verdict.REAL if probability < low else Verdict.UNCERTAIN


def is_too_small(face: Mapping[str, Any]) -> bool:
    """Whether no claim rests on it; results that an older version wrote do not say."""
    return bool(face.get("is_too_small"))


def shows_small_faces_only(video: Mapping[str, Any]) -> bool:
    """Whether nothing is claimed for that reason."""
    return bool(video["faces"]) and all(is_too_small(face) for face in video["faces"])


def finding(document: Mapping[str, Any], video: Mapping[str, Any]) -> str:
    """The verdict's sentence, with the number it rests on and the face that decided."""
    if video["probability"] is None:
        return NOT_SCORED[Status(video["status"])][1]
    low, high = limits_of(document)
    side = {
        Verdict.FAKE: f"from {high:.2f} on it is called manipulated",
        Verdict.REAL: f"below {low:.2f} the model knows no sign of manipulation",
        Verdict.UNCERTAIN: f"between {low:.2f} and {high:.2f} nothing is claimed",
    }[Verdict(video["verdict"])]
    if shows_small_faces_only(video):
        side = "of faces as small as these the score tells little, so nothing is claimed"
    shown = probability_text(video["probability"], (low, high))
    several = len(video["faces"]) > 1 and video["decided_by"] is not None
    decided = f" Decided by face {video['decided_by']}, of {len(video['faces'])} faces." if several else ""
    return f"Probability that a face is manipulated: {shown}; {side}.{decided}"


def looked_at(video: Mapping[str, Any], frames: int) -> str:
    """How much of the video stands behind the verdict, in clips of ``frames``; empty where nothing does."""
    if not video["clips"]:
        return ""
    faces, clips = len(video["faces"]), len(video["clips"])
    if is_still(video):
        return f"{faces} face{'s' if faces != 1 else ''} in one picture."
    seconds, duration = covered_seconds(video), (video["video"] or {}).get("duration_seconds")
    whole = f" of {duration:.1f}" if duration else ""
    return (
        f"{faces} face{'s' if faces != 1 else ''} in {clips} clip{'s' if clips != 1 else ''} of "
        f"{frames} frames: {seconds:.1f}{whole} seconds."
    )


def is_still(video: Mapping[str, Any]) -> bool:
    """Whether a single picture was judged."""
    return bool((video["video"] or {}).get("is_still"))


def covered_seconds(video: Mapping[str, Any]) -> float:
    """How long at least one clip lasts; its end is when its last frame begins, which lasts as others do."""
    fps = (video["video"] or {}).get("fps")
    frame_seconds = 1 / fps if fps else 0.0
    covered, reached = 0.0, 0.0
    for start, end in sorted((clip["start_seconds"], clip["end_seconds"]) for clip in video["clips"]):
        end += frame_seconds
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


def how_often_wrong(document: Mapping[str, Any], video: Mapping[str, Any]) -> str:
    """On which videos such a verdict was tried, and how often it was wrong; empty for an unscored video."""
    if video["verdict"] is None:
        return ""
    # Results that an older version wrote have no such key.
    calibration = document["checkpoint"].get("calibration")
    if calibration is None:
        return "Not known: these weights were not calibrated on videos with known answers."
    alarms, misses = calibration["false_alarms"], calibration["misses"]
    of_genuine = (
        f"of {alarms['videos']} genuine validation videos {alarms['errors']} "
        f"{'was' if alarms['errors'] == 1 else 'were'} called manipulated (elsewhere up to "
        f"{100 * alarms['upper_limit']:.0f} %, with 95 % confidence)"
    )
    of_fakes = (
        f"of {misses['videos']} manipulated validation videos {misses['errors']} "
        f"{'was' if misses['errors'] == 1 else 'were'} called real (elsewhere up to "
        f"{100 * misses['upper_limit']:.0f} %)"
    )
    said = {
        Verdict.FAKE: of_genuine,
        Verdict.REAL: of_fakes,
        Verdict.UNCERTAIN: f"{of_genuine}, {of_fakes}; between the two limits lie both kinds",
    }[Verdict(video["verdict"])]
    if is_still(video):
        return f"On videos, {said}. A single picture tells less: its own numbers stand below."
    return said[0].upper() + said[1:] + "."


def known_misses(document: Mapping[str, Any]) -> str:
    """What the weights are known not to find, by their own card; empty where they bring none."""
    cannot = document["checkpoint"]["provenance"].get("model card", {}).get("cannot", "")
    return f"These weights cannot {cannot.replace('; ', '; cannot ')}." if cannot else ""


def next_step(document: Mapping[str, Any], video: Mapping[str, Any]) -> str:
    """One sentence: what to do now."""
    if video["verdict"] is None:
        step = NEXT_WITHOUT_SCORE[Status(video["status"])]
        return step[0].upper() + step[1:] + "."
    if Verdict(video["verdict"]) is Verdict.FAKE:
        decided_by = video["decided_by"]
        highest = max(video["clips"], key=lambda clip: (clip["track_id"] == decided_by, clip["probability"]))
        when = "" if is_still(video) else f" at {highest['start_seconds']:.1f} s"
        return (
            f"Look at face {highest['track_id']}{when}, and for another recording of the same scene: the "
            "score alone decides nothing."
        )
    if shows_small_faces_only(video):
        return "Look for a copy of more pixels, or one in which the faces are larger."
    if is_still(video) and Verdict(video["verdict"]) is Verdict.UNCERTAIN:
        return "Look for the video that it was taken from, or for a larger copy."
    if Verdict(video["verdict"]) is Verdict.REAL:
        return "Find out where it comes from: what this model does not know, it does not find."
    if document["settings"]["clips"] == "all":
        return "Look for a copy that was compressed less, and treat this video as not judged."
    return "Judge the whole video (--clips all), or a copy that was compressed less."


def standing_out(document: Mapping[str, Any], video: Mapping[str, Any]) -> str:
    """Names the one face whose verdict no other face shares; empty where there is none, or not one only."""
    limits = limits_of(document)
    kinds = {face["track_id"]: kind_of(face, limits) for face in video["faces"]}
    alone = [track for track, kind in kinds.items() if list(kinds.values()).count(kind) == 1]
    if len(alone) != 1 or len(kinds) < 3:
        return ""
    scores = {face["track_id"]: face["probability"] for face in video["faces"]}
    own = scores.pop(alone[0])
    lowest, highest = probability_text(min(scores.values())), probability_text(max(scores.values()))
    return (
        f"Face {alone[0]} differs from the others: {kinds[alone[0]]} at {probability_text(own)}, where "
        f"they lie between {lowest} and {highest}."
    )
