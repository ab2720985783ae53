"""What ``detect --report`` and ``--annotate`` add: pages that explain verdicts, a marked copy of a video."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ssat.outputs import is_printed, write_file
from deepfake_ssat.records import VideoVerdict
from deepfake_ssat.reporting.detection_report import results_document, verdict_from_record, video_record
from deepfake_ssat.version import __version__

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector

INDEX = "index.html"
PAGE_SUFFIXES = {".html", ".htm"}


def is_page(report: Path) -> bool:
    """Whether ``--report`` is one page: FILE.html, standard output or what is there and no folder."""
    return (
        report.suffix.lower() in PAGE_SUFFIXES
        or is_printed(report)
        or (os.path.exists(report) and not os.path.isdir(report))
    )


def report_video(
    detector: Detector,
    path: Path,
    clips: int | None,
    report: Path | None,
    annotated: Path | None,
) -> VideoVerdict:
    """Judges one file; writes its page and its marked copy where asked."""
    from deepfake_ssat.inference.description import checkpoint_record, settings_record
    from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS
    from deepfake_ssat.models.checkpoint import file_hash
    from deepfake_ssat.reporting.annotate import annotate_video
    from deepfake_ssat.reporting.page import FileFacts, render_report

    explanation = detector.explain(path, clips, EXPLAINED_CLIPS if report else 0)
    if report is not None:
        document = results_document(
            [explanation.verdict], checkpoint_record(detector), settings_record(detector, clips)
        )
        facts = FileFacts(path.stat().st_size, file_hash(path))
        command = command_for(path, detector, clips, report)
        page = render_report(document, explanation, facts, detector.contract, command=command)
        write_file(report, page)
    if annotated is not None and explanation.marks:
        turn = explanation.verdict.metadata.untagged_turn if explanation.verdict.metadata else 0
        decide = detector.checkpoint.decision.verdict
        annotate_video(path, annotated, explanation.marks, decide, turn=turn)
    return explanation.verdict


class ReportFolder:
    """Pages and their index; a video that was judged the same way before is not judged again.

    ``annotated`` is the marked copy of a folder's one video, which is always made.
    """

    def __init__(
        self,
        folder: Path,
        detector: Detector,
        clips: int | None,
        num_videos: int,
        annotated: Path | None = None,
    ):
        self._folder = folder
        self._detector, self._clips = detector, clips
        self._num_videos = num_videos
        self._annotated = annotated
        self._rows: list[Any] = []

    def judge(self, path: Path) -> VideoVerdict:
        """The verdict of one video, its page written, the index brought up to date."""
        name = self._page_name(path)
        page, stored = self._folder / f"{name}.html", self._folder / f"{name}.json"
        fingerprint = self._fingerprint(path)
        record = self._read(stored, fingerprint) if page.is_file() and not self._annotated else None
        if record is None:
            verdict = report_video(self._detector, path, self._clips, page, self._annotated)
            record = video_record(verdict)
            write_file(stored, json.dumps({"fingerprint": fingerprint, "video": record}, indent=1).encode())
        self.add(record, page.name)
        return verdict_from_record(record)

    def add(self, record: dict[str, Any], page: str) -> None:
        """One more row of the index."""
        from deepfake_ssat.reporting.index_page import IndexRow, render_index

        self._rows.append(IndexRow(record, page))
        waiting = self._num_videos - len(self._rows)
        command = f"deepfake-ssat detect ... --report {shlex.quote(str(self._folder))}"
        write_file(self._folder / INDEX, render_index(self._rows, waiting, command))

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
            "settings": settings_record(self._detector, self._clips),
        }

    def _read(self, stored: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        try:
            content = json.loads(stored.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(content, dict) and content.get("fingerprint") == fingerprint
        return content["video"] if fits else None


def command_for(path: Path, detector: Detector, clips: int | None, report: Path) -> str:
    """What a person types to get the same page."""
    shown = "all" if clips is None else str(clips)
    words = ["deepfake-ssat", "detect", str(path), "--checkpoint", str(detector.path), "--clips", shown]
    backend = detector.scorer.name
    words += ["--backend", backend] if backend != "torch" else []
    return shlex.join([*words, "--report", str(report)])
