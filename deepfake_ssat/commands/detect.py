"""``deepfake-ssat detect``: videos in, a verdict or the reason for none out, for each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.detection_outputs import Outputs
from deepfake_ssat.commands.detection_reports import INDEX, ReportIndex, ReportOptions, write_marked_copy
from deepfake_ssat.commands.judging import Judged, Judging, Results, judge_in_workers
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.sources import downloaded, find_sources
from deepfake_ssat.commands.verdict_log import VerdictLog
from deepfake_ssat.config.extraction import parse_clips
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import is_printed
from deepfake_ssat.pool import open_engine
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.reporting.detection_report import show
from deepfake_ssat.video.mirror import mirrored
from deepfake_ssat.video.transfer import MAX_MEGABYTES

if TYPE_CHECKING:
    from deepfake_ssat.inference.description import Described
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.inference.explanation import Explanation

ALL_SCORED, SOME_NOT_SCORED = 0, 3


def run(
    paths: Sequence[Path | str],
    checkpoint: Path | None = None,
    json_file: Path | None = None,
    csv_file: Path | None = None,
    clips: str = "4",
    device: str = "auto",
    threads: int | None = None,
    debug: bool = False,
    report: Path | None = None,
    annotate: Path | None = None,
    backend: str = "torch",
    jsonl_file: Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    order: str = "name",
    quiet: bool = False,
    note: str = "",
    rotate: int = 0,
    details: bool = False,
    ray: str | None = None,
    max_download: float = MAX_MEGABYTES,
) -> int:
    """Judges files, folders and addresses, prints a table, and writes what is asked for; ``-`` prints it.

    ``backend`` is what computes the scores, torch or openvino. ``workers`` judge in processes of their own,
    by default where there are many videos and a CPU; with ``ray`` those of the cluster at that address
    (docs/scale.md); ``resume`` goes on with ``jsonl_file``; ``order`` is by name or the newest first. A run
    that is interrupted writes what has been judged. ``note`` is free text for JSON and pages, such as a case
    number. ``rotate`` turns all pictures clockwise by so many
    degrees, beyond their tags. ``details`` prints each face and all warnings. Of an address at most
    ``max_download`` megabytes are downloaded, for a while; what an object store holds, when it is its turn.

    Returns 0 when every video was scored, 3 when some were not. Raises DeepfakeError, before the first video
    is judged, for paths, options and checkpoints that cannot be used. An internal error in one video is
    reported as that video's, unless ``debug`` lets it through.
    """
    outputs = Outputs(json_file, csv_file, jsonl_file, report, annotate)
    options = ReportOptions(parse_clips(clips), note, annotate, rotate)
    place = _Place(workers, ray)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
    progress = console_progress(errors, transient=True)
    console = Console(stderr=outputs.is_printed, highlight=False, quiet=quiet)
    with mirrored(max_download) as mirror:
        videos, links = find_sources(
            paths, mirror, order, read_twice=annotate is not None, tell=partial(errors.print, markup=False)
        )
        outputs.check([*videos, *map(Path, links)], checkpoint)
        _check_options(outputs, resume, place.option, debug)
        with downloaded(links, max_download, progress) as fetched:
            options = replace(options, links=fetched, mirror=mirror)
            judging = Judging(options, checkpoint, device, threads, backend, report, debug)
            named = {options.name_of(path): path for path in [*videos, *map(Path, fetched)]}
            if not place.option:
                place = _Place(judging.workers_for(len(named)), ray)
            return _run(judging, outputs, named, _Telling(console, progress, details), place, resume)


@dataclass(frozen=True)
class _Place:
    """Where videos are judged: here, in workers of their own, or on a cluster."""

    workers: int | None
    ray: str | None

    @property
    def option(self) -> str | None:
        """What asks for workers."""
        return "--ray" if self.ray else "--workers" if self.workers else None


@dataclass(frozen=True)
class _Telling:
    """What the person at the terminal is told."""

    console: Console
    progress: Progress
    details: bool


def _run(
    judging: Judging,
    outputs: Outputs,
    videos: Mapping[str, Path],
    telling: _Telling,
    place: _Place,
    resume: bool,
) -> int:
    """Judges the files, which results call by these names; the exit code."""
    options, progress = judging.options, telling.progress
    loaded = None if place.option else judging.load()
    detector = loaded or judging.describe()
    explained: list[Explanation] = []
    keep = explained.append if outputs.annotated else None
    first = next(iter(videos.values()))
    seen = [path for path in (first, *map(Path, options.links)) if not options.is_remote(path)]
    files = [*seen, *filter(None, (judging.checkpoint, outputs.pages))]
    with (
        _open_judging(judging, loaded or detector.device.type, progress, keep, place, files) as judged,
        _open_log(outputs.jsonl, videos, detector, options, resume) as log,
    ):
        results = Results(videos, log.known if log else {})
        try:
            _collect(
                judged,
                results,
                log,
                _index(outputs, videos, options.note),
                progress if len(videos) > 1 else silent,
            )
        finally:
            outputs.write(results, detector, options)
            if judged_so_far := results.in_order():
                show(telling.console, judged_so_far, details=telling.details)
            for line in results.account():
                telling.console.print(line)
            if outputs.report is not None and not is_printed(outputs.report):
                page = outputs.report / INDEX if outputs.pages else outputs.report
                telling.console.print(f"report: {page}", markup=False, soft_wrap=True)
    if loaded is not None and outputs.annotated is not None and explained:
        write_marked_copy(loaded, explained[0], outputs.annotated, progress)
    return ALL_SCORED if results.all_scored else SOME_NOT_SCORED


@contextmanager
def _open_judging(
    judging: Judging,
    judge_by: Detector | str,
    progress: Progress,
    keep: Callable[[Explanation], None] | None,
    place: _Place,
    files: Sequence[Path],
) -> Iterator[Callable[[Sequence[Path]], Iterator[Judged]]]:
    """How videos become verdicts: here by a detector, or on a device in workers, which see ``files``.

    A single one that is judged here tells its progress.
    """
    if isinstance(judge_by, str):
        device, name_of = judge_by, judging.options.name_of
        each = judging.in_each_of(None if place.ray else place.workers, device)
        threads = each.threads or 1
        with open_engine(place.workers, place.ray, device=device, threads=threads, files=files) as engine:
            yield partial(judge_in_workers, each, engine=engine, name_of=name_of)
        return

    def here(videos: Sequence[Path]) -> Iterator[Judged]:
        judge = judging.judge_with(judge_by, progress if len(videos) == 1 else silent, keep)
        return (Judged(judge(path)) for path in videos)

    yield here


def _collect(
    judged: Callable[[Sequence[Path]], Iterator[Judged]],
    results: Results,
    log: VerdictLog | None,
    index: ReportIndex | None,
    progress: Progress,
) -> None:
    """Judges what is not known, and hands each verdict on as it comes."""
    # In a folder of pages the known ones have theirs already, and are listed in the index again.
    videos = list(results.videos.values()) if index else results.waiting()
    with progress("judging", "video", len(videos)) as advance:
        try:
            for one in judged(videos):
                if log is not None and one.verdict.path not in log.known:
                    log.add(one.verdict, one.failed)
                results.add(one.verdict)
                if index is not None:
                    index.add(one.verdict)
                advance(note=results.counts())
        finally:
            if index is not None:
                index.write()


def _index(outputs: Outputs, names: Collection[str], note: str) -> ReportIndex | None:
    """Of a folder of pages."""
    return ReportIndex(outputs.pages, names, note) if outputs.pages else None


def _open_log(
    file: Path | None, videos: Mapping[str, Path], detector: Described, options: ReportOptions, resume: bool
) -> AbstractContextManager[VerdictLog | None]:
    from deepfake_ssat.inference.description import judged_by

    basis = judged_by(detector, options.clips, options.rotate)
    return VerdictLog(file, videos, basis, resume) if file else nullcontext()


def _check_options(outputs: Outputs, resume: bool, elsewhere: str | None, debug: bool) -> None:
    """Refuses options that mean nothing together."""
    if resume and (outputs.jsonl is None or is_printed(outputs.jsonl)):
        raise ConfigError("--resume goes on with the lines of a --jsonl FILE; give that file")
    if elsewhere and debug:
        raise ConfigError(f"--debug stops at an error in this process; leave {elsewhere} out")
    if elsewhere and outputs.annotated is not None:
        raise ConfigError(
            f"--annotate marks one video, which is judged in this process; leave {elsewhere} out"
        )
    if elsewhere == "--ray" and is_printed(outputs.report):
        raise ConfigError(
            "--report - prints here what a worker of the cluster writes; give a file or a folder"
        )
