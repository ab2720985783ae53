"""Verdicts as a table for people, and as JSON and CSV for programs (docs/detect_schema.md)."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_ssat.records import ClipScore, FaceVerdict, Status, Verdict, VideoMetadata, VideoVerdict
from deepfake_ssat.version import __version__

SCHEMA_VERSION = "1.2"
"""Raised in its second part when fields are added, in its first when one changes or goes."""

COLOURS = {Verdict.REAL: "green", Verdict.FAKE: "red", Verdict.UNCERTAIN: "yellow", None: "magenta"}

CSV_COLUMNS = ("path", "status", "verdict", "probability", "faces", "clips", "warnings")


def results_document(
    verdicts: Sequence[VideoVerdict], checkpoint: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """What ``detect --json`` writes: schema version, program, checkpoint, settings and videos."""
    return {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "deepfake-ssat", "version": __version__},
        "checkpoint": checkpoint,
        "settings": settings,
        "videos": [video_record(verdict) for verdict in verdicts],
    }


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
            }
            for face in verdict.faces
        ],
        "clips": [_span_record(clip) for clip in verdict.clips],
        "warnings": list(verdict.warnings),
        "video": asdict(verdict.metadata) if verdict.metadata else None,
    }


def verdict_from_record(record: dict[str, Any]) -> VideoVerdict:
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
    )


def _span_record(judged: FaceVerdict | ClipScore) -> dict[str, Any]:
    return {
        "track_id": judged.track_id,
        "start_seconds": round(judged.start_seconds, 3),
        "end_seconds": round(judged.end_seconds, 3),
        "probability": round(judged.probability, 6),
    }


def results_json(document: dict[str, Any]) -> str:
    """The document as indented ASCII, so that a file name that is not UTF-8 survives as an escape."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def results_csv(verdicts: Sequence[VideoVerdict]) -> str:
    """One line a video under ``CSV_COLUMNS``; probability and verdict are empty unless it was scored."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for verdict in verdicts:
        writer.writerow(
            (
                verdict.path,
                verdict.status.value,
                verdict.verdict.value if verdict.verdict else "",
                "" if verdict.probability is None else f"{verdict.probability:.6f}",
                len(verdict.faces),
                len(verdict.clips),
                "; ".join(verdict.warnings),
            )
        )
    return text.getvalue()


def print_verdicts(verdicts: Sequence[VideoVerdict], console: Console) -> None:
    """A table, then each face of videos with several, the warnings and a count; 80 columns are enough."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("video", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("P(fake)", justify="right", no_wrap=True)
    table.add_column("faces", justify="right", no_wrap=True)
    table.add_column("clips", justify="right", no_wrap=True)
    for verdict in verdicts:
        shown = verdict.verdict.value if verdict.verdict else f"- {verdict.status.value}"
        table.add_row(
            Text(_printable(verdict.path)),
            Text(shown, style=COLOURS[verdict.verdict]),
            "-" if verdict.probability is None else f"{verdict.probability:.3f}",
            str(len(verdict.faces)),
            str(len(verdict.clips)),
        )
    console.print(table)
    for verdict in verdicts:
        for line in _details(verdict):
            console.print(Text(_printable(line)), soft_wrap=True)
    console.print(summary_line(verdicts))


def summary_line(verdicts: Sequence[VideoVerdict]) -> str:
    """Such as ``3 videos: 1 fake, 1 real, 1 unreadable``."""
    counts = Counter(verdict.verdict or verdict.status for verdict in verdicts)
    kinds = [
        Verdict.FAKE,
        Verdict.REAL,
        Verdict.UNCERTAIN,
        Status.NO_FACE,
        Status.TOO_SHORT,
        Status.UNREADABLE,
    ]
    parts = [f"{counts[kind]} {kind.value}" for kind in kinds if counts[kind]]
    return f"{len(verdicts)} video{'s' if len(verdicts) != 1 else ''}: {', '.join(parts)}"


def _details(verdict: VideoVerdict) -> list[str]:
    """The lines below the table that belong to one video."""
    lines = []
    if len(verdict.faces) > 1:
        lines = [
            f"{verdict.path}: face {face.track_id}, {face.start_seconds:.1f}-{face.end_seconds:.1f} s, "
            f"P(fake) {face.probability:.3f} ({face.num_clips} clips)"
            for face in verdict.faces
        ]
    return [*lines, *(_with_path(verdict.path, warning) for warning in verdict.warnings)]


def _with_path(path: str, warning: str) -> str:
    return warning if path in warning else f"{path}: {warning}"


def _printable(text: str) -> str:
    """Without control characters, which a file name may hold and a terminal would obey."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
