"""What ``detect --report`` and ``--annotate`` add: pages that explain verdicts, a marked copy of a video."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ssat.outputs import is_printed, write_file
from deepfake_ssat.records import VideoVerdict
from deepfake_ssat.reporting.detection_report import results_document, verdict_from_record, video_record
from deepfake_ssat.version import __version__

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.inference.explanation import Explanation

INDEX = "index.html"
PAGE_SUFFIXES = {".html", ".htm"}
THUMBNAIL = ".jpg"


def is_page(report: Path) -> bool:
    """Whether ``--report`` is one page: FILE.html, standard output or what is there and no folder."""
    return (
        report.suffix.lower() in PAGE_SUFFIXES
        or is_printed(report)
        or (os.path.exists(report) and not os.path.isdir(report))
    )


@dataclass(frozen=True)
class ReportOptions:
    """What pages are to hold."""

    clips: int | None
    note: str = ""
    """Free text, such as a case number."""
    annotated: Path | None = None
    """The marked copy of one video."""
    rotate: int = 0
    """Degrees clockwise, beyond the file's tag."""


def report_video(detector: Detector, path: Path, report: Path | None, options: ReportOptions) -> Explanation:
    """Judges one file; writes its page and its marked copy where asked."""
    from deepfake_ssat.inference.description import checkpoint_record, settings_record
    from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS
    from deepfake_ssat.reporting.annotate import annotate_video
    from deepfake_ssat.reporting.full_frames import read_full_frames
    from deepfake_ssat.reporting.page import render_report

    clips, marked = options.clips, options.annotated
    explanation = detector.explain(path, clips, EXPLAINED_CLIPS if report else 0, rotate=options.rotate)
    decide = detector.checkpoint.decision.verdict
    if marked is not None and explanation.marks:
        turn = explanation.verdict.metadata.untagged_turn if explanation.verdict.metadata else 0
        annotate_video(path, marked, explanation.marks, decide, turn=turn, verdict=explanation.verdict)
    if report is not None:
        records = checkpoint_record(detector), settings_record(detector, clips)
        page = render_report(
            results_document([explanation.verdict], *records, options.note),
            explanation,
            detector.contract,
            read_full_frames(path, explanation, decide),
            command=command_for(path, detector, report, options),
            marked_copy=_beside(marked, report) if marked is not None and explanation.marks else "",
        )
        write_file(report, page)
    return explanation


class ReportFolder:
    """Pages and their index; a video that was judged the same way before is not judged again.

    The marked copy of a folder's one video is always made.
    """

    def __init__(self, folder: Path, detector: Detector, num_videos: int, options: ReportOptions):
        self._folder = folder
        self._detector = detector
        self._num_videos = num_videos
        self._options = options
        self._rows: list[Any] = []

    def judge(self, path: Path) -> VideoVerdict:
        """The verdict of one video, its page written, the index brought up to date."""
        name = self._page_name(path)
        page, stored = self._folder / f"{name}.html", self._folder / f"{name}.json"
        fingerprint = self._fingerprint(path)
        fresh = self._options.annotated is not None or not page.is_file()
        record = None if fresh else self._read(stored, fingerprint)
        if record is None:
            explanation = report_video(self._detector, path, page, self._options)
            record = video_record(explanation.verdict)
            self._write_thumbnail(page.with_suffix(THUMBNAIL), explanation)
            write_file(stored, json.dumps({"fingerprint": fingerprint, "video": record}, indent=1).encode())
        self.add(record, page)
        return verdict_from_record(record)

    def add(self, record: dict[str, Any], page: Path) -> None:
        """One more row of the index."""
        from deepfake_ssat.reporting.index_page import IndexRow, render_index

        thumbnail = page.with_suffix(THUMBNAIL).name if record["faces"] else ""
        self._rows.append(IndexRow(record, page.name, thumbnail))
        waiting = self._num_videos - len(self._rows)
        command = f"deepfake-ssat detect ... --report {shlex.quote(self._folder.name)}"
        write_file(self._folder / INDEX, render_index(self._rows, waiting, command, self._options.note))

    def _write_thumbnail(self, file: Path, explanation: Explanation) -> None:
        """The face that the verdict rests on."""
        from deepfake_ssat.reporting.filmstrips import jpeg, thumbnail

        for face in explanation.verdict.faces_by_suspicion[:1]:
            write_file(file, jpeg(thumbnail(explanation.faces[face.track_id].highest.pixels)))

    def _page_name(self, path: Path) -> str:
        """Readable, and different for files of the same name in different folders."""
        digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
        readable = "".join(character if character.isalnum() else "_" for character in path.stem)[:60]
        return f"{readable}_{digest}"

    def _fingerprint(self, path: Path) -> dict[str, Any]:
        """What a stored verdict rests on: file, weights, program and what else a score depends on."""
        from deepfake_ssat.inference.arguments import existing_file
        from deepfake_ssat.inference.description import settings_record

        facts = os.stat(existing_file(path, "path"))
        return {
            "path": str(path),
            "size": facts.st_size,
            "modified": facts.st_mtime_ns,
            "checkpoint": self._detector.checkpoint.hash,
            "version": __version__,
            "settings": settings_record(self._detector, self._options.clips),
            "note": self._options.note,
            "rotate": self._options.rotate,
        }

    def _read(self, stored: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        try:
            content = json.loads(stored.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(content, dict) and content.get("fingerprint") == fingerprint
        return content["video"] if fits else None


def command_for(path: Path, detector: Detector, report: Path, options: ReportOptions) -> str:
    """What a person types beside the file to get the same page; it names no folder of this machine."""
    words = ["deepfake-ssat", "detect", path.name]
    words += [] if detector.has_default_weights else ["--checkpoint", detector.path.name]
    words += ["--clips", "all" if options.clips is None else str(options.clips)]
    words += ["--backend", detector.scorer.name] if detector.scorer.name != "torch" else []
    words += ["--rotate", str(options.rotate)] if options.rotate else []
    words += ["--note", options.note] if options.note else []
    return shlex.join([*words, "--report", report.name])


def _beside(marked: Path, page: Path) -> str:
    """Where the marked copy lies, seen from the page; empty where it lies outside of the page's folder."""
    place = os.path.relpath(os.path.realpath(marked), os.path.dirname(os.path.realpath(page)))
    return "" if is_printed(page) or place.startswith(os.pardir) else place.replace(os.sep, "/")
