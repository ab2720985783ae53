"""What ``detect --report`` and ``--annotate`` add: pages that explain verdicts, a marked copy of a video."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ssat.outputs import is_printed, write_file
from deepfake_ssat.progress import NOT_KNOWN, Progress, silent
from deepfake_ssat.records import VideoVerdict
from deepfake_ssat.reporting.detection_report import results_document, verdict_from_record, video_record

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.inference.explanation import Explanation

INDEX = "index.html"
INDEX_EVERY_SECONDS = 10.0
"""Of tens of thousands of rows it takes a second to write."""
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
    progress: Progress = silent,
    keep: Callable[[Explanation], None] | None = None,
) -> VideoVerdict:
    """Judges one file, and writes its page where asked; ``keep`` sees what a marked copy is made from."""
    from deepfake_ssat.inference.description import checkpoint_record, settings_record
    from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS
    from deepfake_ssat.models.checkpoint import file_hash
    from deepfake_ssat.reporting.page import FileFacts, render_report

    explanation = detector.explain(path, clips, EXPLAINED_CLIPS if report else 0, progress=progress)
    if report is not None:
        document = results_document(
            [explanation.verdict], checkpoint_record(detector), settings_record(detector, clips)
        )
        facts = FileFacts(path.stat().st_size, file_hash(path))
        command = command_for(path, detector, clips, report)
        page = render_report(document, explanation, facts, detector.contract, command=command)
        write_file(report, page)
    if keep is not None:
        keep(explanation)
    return explanation.verdict


def write_marked_copy(
    detector: Detector, explanation: Explanation, annotated: Path, progress: Progress
) -> None:
    """The video again, its analysed faces marked; of one without any there is no copy."""
    from deepfake_ssat.reporting.annotate import annotate_video

    verdict = explanation.verdict
    if not explanation.marks or verdict.metadata is None:
        return
    total = verdict.metadata.num_frames or NOT_KNOWN
    with progress("marking", "frame", total) as advance:
        annotate_video(
            Path(verdict.path),
            annotated,
            explanation.marks,
            detector.checkpoint.decision.verdict,
            on_progress=lambda _: advance(),
            turn=verdict.metadata.untagged_turn,
        )


class ReportFolder:
    """A folder of pages; a video that was judged the same way before is not judged again.

    Where somebody keeps the explanation, of a folder's one video, it is always made.
    """

    def __init__(
        self,
        folder: Path,
        detector: Detector,
        clips: int | None,
        progress: Progress = silent,
        keep: Callable[[Explanation], None] | None = None,
    ):
        self._folder = folder
        self._detector, self._clips = detector, clips
        self._progress, self._keep = progress, keep

    def judge(self, path: Path) -> VideoVerdict:
        """The verdict of one video, its page written."""
        page = self._folder / page_name(path)
        stored = page.with_suffix(".json")
        fingerprint = self._fingerprint(path)
        record = self._read(stored, fingerprint) if page.is_file() and self._keep is None else None
        if record is None:
            verdict = report_video(self._detector, path, self._clips, page, self._progress, self._keep)
            record = video_record(verdict)
            write_file(stored, json.dumps({"fingerprint": fingerprint, "video": record}, indent=1).encode())
        return verdict_from_record(record)

    def _fingerprint(self, path: Path) -> dict[str, Any]:
        """What a stored verdict rests on: file, weights, program and what else a score depends on."""
        from deepfake_ssat.inference.arguments import existing_file
        from deepfake_ssat.inference.description import judged_by

        facts = os.stat(existing_file(path, "path"))
        return {
            "path": str(path),
            "size": facts.st_size,
            "modified": facts.st_mtime_ns,
            **judged_by(self._detector, self._clips),
        }

    def _read(self, stored: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        try:
            content = json.loads(stored.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(content, dict) and content.get("fingerprint") == fingerprint
        return content["video"] if fits else None


class ReportIndex:
    """The index of a folder of pages, brought up to date now and then while they come."""

    def __init__(self, folder: Path, num_videos: int):
        self._folder = folder
        self._num_videos = num_videos
        self._rows: list[Any] = []
        self._written = 0.0

    def add(self, verdict: VideoVerdict) -> None:
        """One more row; a video without a page, as its process died, has none."""
        from deepfake_ssat.reporting.index_page import IndexRow

        page = page_name(Path(verdict.path))
        if (self._folder / page).is_file():
            self._rows.append(IndexRow(video_record(verdict), page))
        if time.monotonic() - self._written > INDEX_EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        """The index of what has been judged."""
        from deepfake_ssat.reporting.index_page import render_index

        waiting = self._num_videos - len(self._rows)
        command = f"deepfake-ssat detect ... --report {shlex.quote(str(self._folder))}"
        write_file(self._folder / INDEX, render_index(self._rows, waiting, command))
        self._written = time.monotonic()


def page_name(path: Path) -> str:
    """Readable, and different for files of the same name in different folders."""
    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
    readable = "".join(character if character.isalnum() else "_" for character in path.stem)[:60]
    return f"{readable}_{digest}.html"


def command_for(path: Path, detector: Detector, clips: int | None, report: Path) -> str:
    """What a person types to get the same page."""
    shown = "all" if clips is None else str(clips)
    words = ["deepfake-ssat", "detect", str(path), "--checkpoint", str(detector.path), "--clips", shown]
    backend = detector.scorer.name
    words += ["--backend", backend] if backend != "torch" else []
    return shlex.join([*words, "--report", str(report)])
