"""Verdicts as a table for people, and as JSON and CSV for programs (docs/detect_schema.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from deepfake_ssat.records import (
    ClipScore,
    FaceVerdict,
    FileFacts,
    Status,
    Verdict,
    VideoMetadata,
    VideoVerdict,
)
from deepfake_ssat.reporting.documents import document
from deepfake_ssat.reporting.tables import Table, csv_table, folded, show_tables

SCHEMA_VERSION = "1.4"
COLOURS = {Verdict.REAL: "green", Verdict.FAKE: "red", Verdict.UNCERTAIN: "yellow", None: "magenta"}
MOST_SHOWN = 1000
HEADINGS = ("video", "verdict", "P(fake)", "faces", "clips")
FIGURES_WIDTH, NARROWEST_PATH = 27, 8
"""Columns of the terminal: of probability, counts and gaps together; and of paths, at least."""
CSV_COLUMNS = ("path", "status", "verdict", "probability", "faces", "clips", "warnings")
COUNTED = (
    *(Verdict.FAKE, Verdict.REAL, Verdict.UNCERTAIN),
    *(Status.NO_FACE, Status.TOO_SHORT, Status.UNREADABLE),
)


def show(console: Console, verdicts: Sequence[VideoVerdict], *, details: bool = False) -> None:
    """Prints the table and the lines below it, which are never broken; 80 columns are enough.

    Of more videos than anybody reads (and a table of tens of thousands takes minutes) only the counts.
    """
    if len(verdicts) > MOST_SHOWN:
        console.print(f"no table of more than {MOST_SHOWN} videos: --json, --csv and --jsonl hold them")
    else:
        show_tables(console, tables(verdicts, console.width), [])
    for note in notes(verdicts, details=details):
        console.print(Text(note), soft_wrap=True)


def tables(verdicts: Sequence[VideoVerdict], width: int) -> list[Table]:
    """A row for each video, in colour; paths that are too long for ``width`` columns break between words."""
    said = [_said(verdict) for verdict in verdicts]
    room = max(width - max(map(len, (HEADINGS[1], *said))) - FIGURES_WIDTH, NARROWEST_PATH)
    rows = [
        (
            folded(_printable(verdict.path), room),
            Text(words, style=COLOURS[verdict.verdict]),
            "-" if verdict.probability is None else f"{verdict.probability:.3f}",
            str(len(verdict.faces)),
            str(len(verdict.clips)),
        )
        for verdict, words in zip(verdicts, said, strict=True)
    ]
    return [Table("", HEADINGS, rows, names=2)]


def _said(verdict: VideoVerdict) -> str:
    """The verdict, with the face that decided where there are several; or the reason for none."""
    if verdict.verdict is None:
        return f"- {verdict.status}"
    several = len(verdict.faces) > 1 and verdict.decided_by is not None
    return f"{verdict.verdict}, face {verdict.decided_by}" if several else str(verdict.verdict)


def notes(verdicts: Sequence[VideoVerdict], *, details: bool = False) -> list[str]:
    """Why videos have no score, the warnings of a single one, and counts such as ``1 fake, 2 real``.

    ``details``: also each face of videos with several, and the warnings of all.
    """
    everything = details or len(verdicts) == 1
    shown = [verdict for verdict in verdicts if everything or verdict.probability is None]
    if len(verdicts) > MOST_SHOWN:
        shown = []
    lines = [_printable(line) for verdict in shown for line in _details(verdict, faces=details)]
    warned = sum(bool(verdict.warnings) for verdict in verdicts)
    if untold := warned - sum(bool(verdict.warnings) for verdict in shown):
        lines.append(f"{untold} with warnings: --details shows them")
    counts = counted(Counter(map(outcome_of, verdicts)))
    return [*lines, f"{len(verdicts)} video{'s' if len(verdicts) != 1 else ''}: {counts}"]


def outcome_of(verdict: VideoVerdict) -> Verdict | Status:
    """What was found, or why there is no score."""
    return verdict.verdict or verdict.status


def counted(counts: Mapping[Verdict | Status, int]) -> str:
    """Such as ``1 fake, 2 real``."""
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in COUNTED if counts[kind])


def results_document(
    verdicts: Sequence[VideoVerdict],
    checkpoint: Mapping[str, Any],
    settings: Mapping[str, Any],
    note: str = "",
    not_judged: int = 0,
) -> dict[str, Any]:
    """What ``detect --json`` writes: schema version, program, case note, checkpoint, settings and videos.

    ``not_judged`` is how many were asked for and are missing, as the run was interrupted.
    """
    content = {
        "note": note,
        "checkpoint": checkpoint,
        "settings": settings,
        "not_judged": not_judged,
        "videos": [video_record(verdict) for verdict in verdicts],
    }
    return document(SCHEMA_VERSION, content)


def results_csv(verdicts: Sequence[VideoVerdict]) -> bytes:
    """One line a video under ``CSV_COLUMNS``; probability and verdict are empty unless it was scored."""
    return csv_table(
        CSV_COLUMNS,
        (
            {
                "path": verdict.path,
                "status": verdict.status.value,
                "verdict": verdict.verdict.value if verdict.verdict else None,
                "probability": None if verdict.probability is None else f"{verdict.probability:.6f}",
                "faces": len(verdict.faces),
                "clips": len(verdict.clips),
                "warnings": "; ".join(verdict.warnings),
            }
            for verdict in verdicts
        ),
    )


def video_record(verdict: VideoVerdict) -> dict[str, Any]:
    """One element of ``videos``: probabilities to six digits, times to the millisecond, boxes to 0.1 px."""
    return {
        "path": verdict.path,
        "status": verdict.status.value,
        "probability": None if verdict.probability is None else round(verdict.probability, 6),
        "verdict": verdict.verdict.value if verdict.verdict else None,
        "faces": [
            {
                **_span_record(face),
                "box": [round(value, 1) for value in face.box],
                "num_clips": face.num_clips,
                "is_too_small": face.is_too_small,
            }
            for face in verdict.faces
        ],
        "clips": [_span_record(clip) for clip in verdict.clips],
        "warnings": list(verdict.warnings),
        "video": asdict(verdict.metadata) if verdict.metadata else None,
        "decided_by": verdict.decided_by,
        "file": asdict(verdict.file) if verdict.file else None,
        "judged_at": verdict.judged_at,
    }


def verdict_from_record(record: Mapping[str, Any]) -> VideoVerdict:
    """The inverse of ``video_record``, up to its rounding."""
    return VideoVerdict(
        path=record["path"],
        status=Status(record["status"]),
        probability=record["probability"],
        verdict=Verdict(record["verdict"]) if record["verdict"] else None,
        faces=tuple(FaceVerdict(**{**face, "box": tuple(face["box"])}) for face in record["faces"]),
        clips=tuple(ClipScore(**clip) for clip in record["clips"]),
        warnings=tuple(record["warnings"]),
        metadata=VideoMetadata(**record["video"]) if record["video"] else None,
        decided_by=record["decided_by"],
        file=FileFacts(**record["file"]) if record["file"] else None,
        judged_at=record["judged_at"],
    )


def _span_record(judged: FaceVerdict | ClipScore) -> dict[str, Any]:
    return {
        "track_id": judged.track_id,
        "start_seconds": round(judged.start_seconds, 3),
        "end_seconds": round(judged.end_seconds, 3),
        "probability": round(judged.probability, 6),
    }


def _details(verdict: VideoVerdict, *, faces: bool) -> list[str]:
    """The lines below the table that belong to one video; a warning that names it is left as it is."""
    lines = []
    if faces and len(verdict.faces) > 1:
        lines = [
            f"{verdict.path}: face {face.track_id}, {face.start_seconds:.1f}-{face.end_seconds:.1f} s, "
            f"P(fake) {face.probability:.3f} ({face.num_clips} clips)"
            for face in verdict.faces
        ]
    path = verdict.path
    return [*lines, *(text if path in text else f"{path}: {text}" for text in verdict.warnings)]


def _printable(text: str) -> str:
    """Without control characters, which a file name may hold and a terminal would obey."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
