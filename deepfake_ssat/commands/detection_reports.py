"""What ``detect --report`` and ``--annotate`` add: pages that explain verdicts, a marked copy of a video."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ssat.inference.verdict import renamed
from deepfake_ssat.outputs import is_printed, write_file
from deepfake_ssat.progress import NOT_KNOWN, Progress, silent
from deepfake_ssat.records import VideoVerdict
from deepfake_ssat.reporting.detection_report import results_document, verdict_from_record, video_record
from deepfake_ssat.text import parse_json
from deepfake_ssat.video.download import is_link
from deepfake_ssat.video.mirror import Mirror
from deepfake_ssat.video.object_store import list_objects

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.inference.explanation import Explanation

INDEX = "index.html"
INDEX_EVERY_SECONDS = 10.0
"""Of tens of thousands of rows it takes a second to write."""
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
    links: Mapping[str, str] = field(default_factory=dict)
    """By downloaded file, the address that it came from, which is its name in all results."""
    mirror: Mirror | None = None
    """Its paths stand for files of object stores, whose addresses are their names."""

    def name_of(self, path: Path) -> str:
        """What results call a file."""
        url = self.mirror.url_of(path) if self.mirror else None
        return url or self.links.get(os.fspath(path), os.fspath(path))

    def named(self, verdict: VideoVerdict, path: Path) -> VideoVerdict:
        """The verdict on a file under that name."""
        name = self.name_of(path)
        return verdict if verdict.path == name else renamed(verdict, name)

    def is_remote(self, path: Path) -> bool:
        """Whether a file has yet to be brought."""
        return self.mirror is not None and self.mirror.url_of(path) is not None

    def at_hand(self, path: Path, progress: Progress) -> AbstractContextManager[Path]:
        """The file itself until the block ends, brought if need be."""
        return self.mirror.at_hand(path, progress) if self.mirror else nullcontext(path)

    def state_of(self, path: Path) -> tuple[int, int]:
        """Size, and time of change in nanoseconds; raises MissingFileError, or LinkError."""
        from deepfake_ssat.inference.arguments import existing_file

        if self.is_remote(path):
            (found,) = list_objects(self.name_of(path))
            return found.size, found.modified
        facts = os.stat(existing_file(path, "path"))
        return facts.st_size, facts.st_mtime_ns


def report_video(
    detector: Detector,
    path: Path,
    report: Path | None,
    options: ReportOptions,
    progress: Progress = silent,
) -> Explanation:
    """Judges one file, and writes its page where asked; the marked copy that it names may follow later."""
    from deepfake_ssat.inference.description import checkpoint_record, settings_record
    from deepfake_ssat.inference.explanation import EXPLAINED_CLIPS
    from deepfake_ssat.reporting.full_frames import read_full_frames
    from deepfake_ssat.reporting.page import render_report

    clips, marked = options.clips, options.annotated
    explained = EXPLAINED_CLIPS if report else 0
    with options.at_hand(path, progress) as here:
        explanation = detector.explain(here, clips, explained, rotate=options.rotate, progress=progress)
        if report is not None:
            shown = replace(explanation, verdict=options.named(explanation.verdict, path))
            records = checkpoint_record(detector), settings_record(detector, clips)
            page = render_report(
                results_document([shown.verdict], *records, options.note),
                shown,
                detector.contract,
                read_full_frames(here, explanation, detector.checkpoint.decision.verdict),
                command=command_for(path, detector, report, options),
                marked_copy=_beside(marked, report) if marked is not None and explanation.marks else "",
            )
            write_file(report, page)
    return explanation


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
            verdict=verdict,
            searched=explanation.searched,
        )


class ReportFolder:
    """A folder of pages; a video that was judged the same way before is not judged again.

    Where there is to be a marked copy, of a folder's one video, it is always judged.
    """

    def __init__(
        self,
        folder: Path,
        detector: Detector,
        options: ReportOptions,
        progress: Progress = silent,
        keep: Callable[[Explanation], None] | None = None,
    ):
        self._folder = folder
        self._detector = detector
        self._options = options
        self._progress, self._keep = progress, keep

    def judge(self, path: Path) -> VideoVerdict:
        """The verdict of one video, its page written."""
        page = self._folder / page_name(Path(self._options.name_of(path)))
        stored = page.with_suffix(".json")
        fingerprint = self._fingerprint(path)
        fresh = self._options.annotated is not None or not page.is_file()
        record = None if fresh else self._read(stored, fingerprint)
        if record is None:
            explanation = report_video(self._detector, path, page, self._options, self._progress)
            record = video_record(self._options.named(explanation.verdict, path))
            self._write_thumbnail(page.with_suffix(THUMBNAIL), explanation)
            write_file(stored, json.dumps({"fingerprint": fingerprint, "video": record}, indent=1).encode())
            if self._keep is not None:
                self._keep(explanation)
        return verdict_from_record(record)

    def _write_thumbnail(self, file: Path, explanation: Explanation) -> None:
        """The face that the verdict rests on."""
        from deepfake_ssat.reporting.filmstrips import jpeg, thumbnail

        for face in explanation.verdict.faces_by_suspicion[:1]:
            write_file(file, jpeg(thumbnail(explanation.faces[face.track_id].highest.pixels)))

    def _fingerprint(self, path: Path) -> dict[str, Any]:
        """What a stored verdict and its page rest on: file, weights, program, settings and note."""
        from deepfake_ssat.inference.description import judged_by

        size, modified = self._options.state_of(path)
        return {
            "path": self._options.name_of(path),
            "size": size,
            "modified": modified,
            **judged_by(self._detector, self._options.clips, self._options.rotate),
            "note": self._options.note,
        }

    def _read(self, stored: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        try:
            content = parse_json(stored.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(content, dict) and content.get("fingerprint") == fingerprint
        return content["video"] if fits else None


class ReportIndex:
    """The index of a folder of pages, brought up to date now and then while they come in whatever order."""

    def __init__(self, folder: Path, names: Collection[str], note: str):
        self._folder = folder
        self._note = note
        self._names = names
        """What verdicts call the videos, in the order of the index."""
        self._rows: dict[str, Any] = {}
        self._written = 0.0

    def add(self, verdict: VideoVerdict) -> None:
        """One more row; a video without a page, as its process died, has none."""
        from deepfake_ssat.reporting.index_page import IndexRow

        page = page_name(Path(verdict.path))
        if (self._folder / page).is_file():
            thumbnail = Path(page).with_suffix(THUMBNAIL).name if verdict.faces else ""
            self._rows[verdict.path] = IndexRow(video_record(verdict), page, thumbnail)
        if time.monotonic() - self._written > INDEX_EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        """The index of what has been judged."""
        from deepfake_ssat.reporting.index_page import render_index

        rows = [self._rows[name] for name in self._names if name in self._rows]
        waiting = len(self._names) - len(rows)
        command = f"deepfake-ssat detect ... --report {shlex.quote(self._folder.name)}"
        write_file(self._folder / INDEX, render_index(rows, waiting, command, self._note))
        self._written = time.monotonic()


def page_name(path: Path) -> str:
    """Readable, and different for files of the same name in different folders."""
    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
    readable = "".join(character if character.isalnum() else "_" for character in path.stem)[:60]
    return f"{readable}_{digest}.html"


def command_for(path: Path, detector: Detector, report: Path, options: ReportOptions) -> str:
    """What a person types beside the file to get the same page; it names no folder of this machine."""
    name = options.name_of(path)
    words = ["deepfake-ssat", "detect", name if is_link(name) else path.name]
    words += [] if detector.has_default_weights else ["--checkpoint", detector.path.name]
    words += ["--clips", "all" if options.clips is None else str(options.clips)]
    words += ["--backend", detector.backend] if detector.backend != "torch" else []
    words += ["--rotate", str(options.rotate)] if options.rotate else []
    words += ["--note", options.note] if options.note else []
    return shlex.join([*words, "--report", report.name])


def _beside(marked: Path, page: Path) -> str:
    """Where the marked copy lies, seen from the page; empty where it lies outside of the page's folder."""
    place = os.path.relpath(os.path.realpath(marked), os.path.dirname(os.path.realpath(page)))
    return "" if is_printed(page) or place.startswith(os.pardir) else place.replace(os.sep, "/")
