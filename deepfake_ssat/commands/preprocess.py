"""``deepfake-ssat preprocess``: a corpus folder becomes face clips, a manifest and a ledger of drops."""

from __future__ import annotations

import csv
import io
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from rich.console import Console

from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora import CorpusIndex, CorpusOptions, LeftOut, index_corpus
from deepfake_ssat.corpora.index import relative_name
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.extraction.account import left_out_lines, make_account
from deepfake_ssat.extraction.journal import Entry, Extraction, Journal, fingerprint
from deepfake_ssat.manifest import (
    CONTRACT_FILE,
    MANIFEST_FILE,
    check_leaks,
    read_contract,
    replace_file,
    write_contract,
    write_manifest,
)
from deepfake_ssat.records import SourceVideo, Status

LOCK_FILE = ".preprocess.lock"
LEFT_OUT_FOLDER = "left_out"

ALL_DONE, SOME_FAILED = 0, 1


@dataclass(frozen=True)
class _Job:
    """What one run of the command was asked to do."""

    base: Path
    """The corpus root; the folder of a CSV."""
    out: Path
    settings: ExtractionSettings
    workers: int
    reader: Literal["pyav", "decord"]
    device: str


def run(
    corpus: str,
    root: Path,
    out: Path,
    settings: ExtractionSettings | None = None,
    workers: int | None = None,
    compressions: Sequence[str] = (),
    manipulations: Sequence[str] = (),
    splits: Sequence[str] = (),
    reader: Literal["pyav", "decord"] = "pyav",
    limit: int | None = None,
    validation_parts: Sequence[int] | None = None,
    split_by_identity: bool = False,
    device: str = "cpu",
) -> int:
    """Makes or completes an output folder; run again after an interruption, it goes on where it was.

    ``limit`` takes at most so many videos of each corpus, split and manipulation. Several corpora may go
    into one folder: its manifest lists all of them. Returns 0 when every video is clips or has its reason
    in dropped.csv, 1 when a process died or met a bug on some (the next run tries those again).
    Raises DeepfakeError for what the user can correct.
    """
    settings = settings or ExtractionSettings()  # pyright: ignore[reportCallIssue]
    options = CorpusOptions(
        compressions=tuple(compressions),
        manipulations=tuple(manipulations),
        splits=tuple(splits),
        validation_parts=None if validation_parts is None else tuple(validation_parts),
        split_by_identity=split_by_identity,
    )
    console = Console(highlight=False, soft_wrap=True)
    base = root.parent if root.is_file() else root
    job = _Job(base, out, settings, workers or _cpu_count(), reader, device)
    index = _labelled(index_corpus(corpus, root, options), job.base)
    check_leaks(index.videos)
    videos = _limited(index.videos, limit)
    _check_folder(out, settings)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / LOCK_FILE, timeout=0):
            _check_folder(out, settings)  # Again: another run may have begun and ended meanwhile.
            write_contract(out, settings)
            _write_left_out(out, corpus, index.left_out)
            for line in left_out_lines(index.left_out):
                console.print(line, markup=False)
            return _process(videos, job, console)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        raise
    except Timeout as error:
        raise ManifestError(
            f"{out}: another preprocess is writing there; wait for it, or give another folder"
        ) from error


def _process(videos: Sequence[SourceVideo], job: _Job, console: Console) -> int:
    """Extracts what the journal lacks, then writes the manifest of everything in the folder."""
    started = time.monotonic()
    journal = Journal.open(job.out)
    selected = {(video.corpus, video.video_id) for video in videos}
    check_leaks([*videos, *(entry.video for key, entry in journal.entries.items() if key not in selected)])
    again = journal.without_landmarks(videos)
    if again:
        console.print(f"{again} videos were done by a version that stored no landmarks: they are done again")
    missing = [video for video in videos if journal.find(video, job.reader) is None]
    new = _extract(missing, journal, job, console)
    journal.close()
    entries = [journal.entries[key] for key in sorted(journal.entries)]
    settings = job.settings
    write_manifest(
        job.out,
        rows=[row for entry in entries for row in entry.manifest_rows(settings)],
        dropped=[dropped for entry in entries if (dropped := entry.dropped())],
        contract=settings,
        warnings=[warning for entry in entries for warning in entry.warnings()],
    )
    asked = [entry for entry in entries if (entry.video.corpus, entry.video.video_id) in selected]
    clip_bytes = sum(journal.clip_bytes(entry) for entry in asked)
    account = make_account(asked, new, clip_bytes, time.monotonic() - started, settings.frames)
    for line in [*account.lines(settings.frames), f"manifest     {job.out / MANIFEST_FILE}"]:
        console.print(line, markup=False)
    return SOME_FAILED if account.failed else ALL_DONE


def _extract(videos: Sequence[SourceVideo], journal: Journal, job: _Job, console: Console) -> list[Entry]:
    """Extracts the videos in worker processes and journals each as it finishes."""
    if not videos:
        return []
    from deepfake_ssat.extraction.video import PrepareExtraction, Task
    from deepfake_ssat.pool import map_in_processes

    # Taken before reading: a file that changes meanwhile is done again by the next run.
    fingerprints = [fingerprint(video) for video in videos]
    tasks = [
        Task(video.path, journal.staging(i), video.mask_path, video.original_path)
        for i, video in enumerate(videos)
    ]
    prepare = PrepareExtraction(job.settings, job.reader, job.device)
    entries = []
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    dropped = 0
    with show_progress(errors, "preprocess", "video", len(videos)) as advance:
        for outcome in map_in_processes(prepare, tasks, job.workers):
            video = videos[outcome.task]
            if outcome.failure is not None:
                console.print(f"{video.path}: {outcome.failure}", markup=False)
                if outcome.traceback:
                    errors.print(outcome.traceback, markup=False)
            entry = Entry(
                video=video,
                source=relative_name(video.path, job.base),
                fingerprint=fingerprints[outcome.task],
                reader=job.reader,
                extraction=outcome.value or Extraction(Status.UNREADABLE, f"{outcome.failure}"),
                failed=outcome.failure is not None,
            )
            journal.store(entry, journal.staging(outcome.task))
            entries.append(entry)
            dropped += entry.extraction.status is not Status.SCORED
            advance(note=f"{dropped} dropped")
    return entries


def _labelled(index: CorpusIndex, base: Path) -> CorpusIndex:
    """Without the unlabelled videos, which serve neither training nor evaluation."""
    unlabelled = [
        LeftOut(relative_name(video.path, base), "no label: give it to detect")
        for video in index.videos
        if video.label is None
    ]
    videos = tuple(video for video in index.videos if video.label is not None)
    return CorpusIndex(videos, (*index.left_out, *unlabelled))


def _limited(videos: Sequence[SourceVideo], limit: int | None) -> list[SourceVideo]:
    """At most ``limit`` of each corpus, split and manipulation."""
    seen: Counter[tuple[str, str, str]] = Counter()
    chosen = []
    for video in videos:
        kind = (video.corpus, video.split, video.manipulation)
        seen[kind] += 1
        if limit is None or seen[kind] <= limit:
            chosen.append(video)
    return chosen


def _check_folder(out: Path, settings: ExtractionSettings) -> None:
    """Refuses clips of another contract, and a folder with something else in it."""
    if out.exists() and not out.is_dir():
        raise ManifestError(f"{out}: is a file; give a folder")
    existing = read_contract(out)
    if existing is not None:
        existing.require_same(settings, ours=str(out), theirs="the settings given")
    elif out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise ManifestError(f"{out}: has files but no {CONTRACT_FILE}; give a new or an empty folder")


def _write_left_out(out: Path, corpus: str, left_out: Sequence[LeftOut]) -> None:
    """``left_out/<corpus>.csv``: every file that is not indexed, every listed name without a file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "reason"))
    writer.writerows((item.name, item.reason) for item in left_out)
    replace_file(out / LEFT_OUT_FOLDER / f"{corpus}.csv", text.getvalue().encode())


def _cpu_count() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
