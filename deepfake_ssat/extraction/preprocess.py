"""A corpus folder becomes face clips, a manifest and a ledger of drops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora import CorpusIndex, CorpusOptions, LeftOut, index_corpus
from deepfake_ssat.corpora.files import LIST_SUFFIXES, is_picture, relative_name
from deepfake_ssat.errors import CorpusError, ManifestError
from deepfake_ssat.extraction.account import Account, make_account
from deepfake_ssat.extraction.agreement import agreed
from deepfake_ssat.extraction.crops import take_crops
from deepfake_ssat.extraction.journal import Entry, Extraction, Journal, fingerprint
from deepfake_ssat.extraction.video import PrepareExtraction, Task
from deepfake_ssat.manifest import (
    CONTRACT_FILE,
    MANIFEST_FILE,
    check_leaks,
    read_contract,
    write_contract,
    write_manifest,
)
from deepfake_ssat.outputs import make_folder, room_needed, write_file
from deepfake_ssat.pool import Engine, open_engine
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.records import SourceVideo, Status
from deepfake_ssat.text import table_text
from deepfake_ssat.video.mirror import Mirror, mirrored
from deepfake_ssat.video.object_store import is_stored
from deepfake_ssat.video.transfer import MAX_MEGABYTES

LOCK_FILE = ".preprocess.lock"
LEFT_OUT_FOLDER = "left_out"


@dataclass(frozen=True)
class Failure:
    """A video whose process died, met a bug or could not bring it: the next run tries it again."""

    path: str
    """Or its address in an object store."""
    reason: str
    """One line."""
    traceback: str
    """Empty where there was no bug."""


@dataclass(frozen=True)
class PreprocessReport:
    """What one run did, and where its result lies."""

    manifest: Path
    account: Account
    left_out: tuple[LeftOut, ...]
    """Files that are not indexed, and listed names without a file."""
    failures: tuple[Failure, ...]
    redone: int
    """Videos that an older version had done without landmarks."""


@dataclass(frozen=True)
class _Job:
    """What one run was asked to do."""

    base: Path
    """The corpus root; the folder of a CSV."""
    out: Path
    settings: ExtractionSettings
    engine: Engine
    device: str
    clips: int | None
    progress: Progress
    mirror: Mirror

    def task(self, video: SourceVideo, staging: Path) -> Task:
        """For a worker."""
        return Task(
            video.path, staging, video.mask_path, video.original_path, is_picture(video.path), self.mirror
        )


def preprocess(
    corpus: str,
    root: Path | str,
    out: Path,
    *,
    settings: ExtractionSettings | None = None,
    options: CorpusOptions | None = None,
    workers: int | None = None,
    limit: int | None = None,
    clips: int | None = None,
    device: str = "cpu",
    ray: str | None = None,
    progress: Progress = silent,
    max_download: float = MAX_MEGABYTES,
) -> PreprocessReport:
    """Makes or completes an output folder; called again after an interruption, it goes on where it was.

    ``root`` is the corpus's folder (or CSV file), or its address in an object store, of which each worker
    brings one video at a time, of at most ``max_download`` megabytes.
    ``limit`` takes at most so many videos of each corpus, split and manipulation; ``clips`` stores so many
    clips spread over each video in place of all, which saves most of the disk and of the time; ``workers`` is
    the number of processes, by default one a CPU core. ``ray`` is the address of a Ray cluster that does it
    instead, on storage that its machines share (docs/scale.md). Several corpora may go into one folder: its
    manifest lists all of them. Settings with ``already_cut`` take pictures that are faces as they are, from
    any corpus that has pictures, into a folder of their own. Raises DeepfakeError for what the user can
    correct.
    """
    settings = settings or ExtractionSettings()  # pyright: ignore[reportCallIssue]
    options = replace(options or CorpusOptions(), crops=settings.already_cut)
    with mirrored(max_download) as mirror:
        is_remote = is_stored(str(root))
        root = _show(str(root), mirror, settings) if is_remote else Path(root)
        base = root.parent if root.is_file() else root
        index = _labelled(index_corpus(corpus, root, options), base)
        check_leaks(index.videos)
        videos = _limited(index.videos, limit)
        _check_folder(out, settings)
        files = [out, *(video.path for video in videos[:1] if not is_remote)]
        with open_engine(workers, ray, device=device, files=files) as engine, _locked(out, root):
            job = _Job(base, out, settings, engine, device, clips, progress, mirror)
            _check_folder(out, settings)  # Again: another run may have begun and ended meanwhile.
            write_contract(out, settings)
            _write_left_out(out, corpus, index.left_out)
            do = _take if settings.already_cut else _process
            return do(videos, index.left_out, job)


def _show(url: str, mirror: Mirror, settings: ExtractionSettings) -> Path:
    """A corpus of an object store, its lists with their content; of a CSV the folder that it lies in."""
    if settings.already_cut:
        raise CorpusError(f"{url}: --crops lists pictures where they lie; mount the store, or copy them")
    root = mirror.show(url, LIST_SUFFIXES)
    if root.is_file():
        mirror.show(url.rpartition("/")[0], LIST_SUFFIXES)
    return root


@contextmanager
def _locked(out: Path, root: Path) -> Iterator[None]:
    """The output folder for one run at a time; made where it is not there."""
    make_folder(out, [root])
    lock = FileLock(out / LOCK_FILE, timeout=0)
    with room_needed(out):
        try:
            lock.acquire()
        except Timeout as error:
            raise ManifestError(
                f"{out}: another preprocess is writing there; wait for it, or give another folder"
            ) from error
        try:
            yield
        finally:
            lock.release()


def _take(videos: Sequence[SourceVideo], left_out: tuple[LeftOut, ...], job: _Job) -> PreprocessReport:
    """Lists pictures that are faces already: these, and nothing that the folder's manifest listed before."""
    taken = take_crops(videos, job.base, job.out, job.settings, job.engine, job.progress)
    write_manifest(job.out, taken.rows, taken.dropped, job.settings, taken.warnings)
    return PreprocessReport(job.out / MANIFEST_FILE, taken.account, left_out, (), 0)


def _process(videos: Sequence[SourceVideo], left_out: tuple[LeftOut, ...], job: _Job) -> PreprocessReport:
    """Extracts what the journal lacks, then writes the manifest of everything in the folder."""
    started = time.monotonic()
    journal = Journal.open(job.out)
    selected = {(video.corpus, video.video_id) for video in videos}
    check_leaks([*videos, *(entry.video for key, entry in journal.entries.items() if key not in selected)])
    redone = journal.outdated(videos)
    missing = [video for video in videos if journal.find(video, job.clips) is None]
    new, failures = _extract(missing, journal, job)
    journal.close()
    settings = job.settings
    entries = agreed([journal.entries[key] for key in sorted(journal.entries)], settings.frame_stride)
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
    return PreprocessReport(job.out / MANIFEST_FILE, account, left_out, tuple(failures), redone)


def _extract(videos: Sequence[SourceVideo], journal: Journal, job: _Job) -> tuple[list[Entry], list[Failure]]:
    """Extracts the videos in worker processes and journals each as it finishes."""
    # Taken before reading: a file that changes meanwhile is done again by the next run.
    fingerprints = [fingerprint(video) for video in videos]
    tasks = [job.task(video, journal.staging(i)) for i, video in enumerate(videos)]
    prepare = PrepareExtraction(job.settings, job.device, job.clips)
    entries, failures, dropped = [], [], 0
    with job.progress("preprocess", "video", len(videos)) as advance:
        for outcome in job.engine(prepare, tasks):
            video = videos[outcome.task]
            extraction = outcome.value or Extraction(Status.UNREADABLE, f"{outcome.failure}")
            failure = outcome.failure
            if extraction.status is Status.UNREADABLE and fingerprint(video) != fingerprints[outcome.task]:
                # Its disk went, and may come back with the same files.
                failure = failure or extraction.detail
            if failure is not None:
                name = job.mirror.url_of(video.path) or str(video.path)
                failures.append(Failure(name, failure, outcome.traceback))
            entry = Entry(
                video=video,
                source=relative_name(video.path, job.base),
                fingerprint=fingerprints[outcome.task],
                extraction=extraction,
                failed=failure is not None,
                budget=job.clips,
            )
            journal.store(entry, journal.staging(outcome.task))
            entries.append(entry)
            dropped += entry.extraction.status is not Status.SCORED
            advance(note=f"{dropped} dropped")
    return entries, failures


def _labelled(index: CorpusIndex, base: Path) -> CorpusIndex:
    """Without the unlabelled videos, of no use to training or evaluation; refuses to have no other."""
    unlabelled = [
        LeftOut(relative_name(video.path, base), "no label: give it to detect")
        for video in index.videos
        if video.label is None
    ]
    videos = tuple(video for video in index.videos if video.label is not None)
    if unlabelled and not videos:
        raise CorpusError(
            f"{base}: none of its {len(unlabelled)} videos has a label; add the corpus's label file "
            "(of DFDC: metadata.json or labels.csv beside the videos), or give them to detect"
        )
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
    text = table_text(("name", "reason"), map(asdict, left_out))
    write_file(out / LEFT_OUT_FOLDER / f"{corpus}.csv", text.encode(errors="backslashreplace"))
