"""``deepfake-ssat detect``: videos in, a verdict or the reason for none out, for each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.detection_reports import ReportFolder, ReportOptions, is_page, report_video
from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.config.extraction import parse_clips
from deepfake_ssat.errors import ConfigError, DeepfakeError, OutputError
from deepfake_ssat.outputs import check_different, check_file, is_printed, make_folder, write_file
from deepfake_ssat.records import Status, VideoVerdict
from deepfake_ssat.reporting.detection_report import results_csv, results_document, show
from deepfake_ssat.reporting.documents import json_text

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector

HEIC_SUFFIXES = {".heic", ".heif"}
ALL_SCORED, SOME_NOT_SCORED = 0, 3


def run(
    paths: Sequence[Path],
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
    note: str = "",
    rotate: int = 0,
    details: bool = False,
) -> int:
    """Judges files and folders, prints a table, and writes JSON and CSV where asked; ``-`` prints them.

    ``report`` is the HTML page of one video (FILE.html), or a folder for pages and their index; ``annotate``
    a marked copy of one video. ``backend`` is what computes the scores, torch or openvino. ``note`` is free
    text for JSON and pages, such as a case number. ``rotate`` turns all pictures clockwise by so many
    degrees, beyond their tags. ``details`` prints each face and all warnings.

    Returns 0 when every video was scored, 3 when some were not. Raises DeepfakeError, before the first video
    is judged, for paths, options and checkpoints that cannot be used. An internal error in one video is
    reported as that video's, unless ``debug`` lets it through.
    """
    num_clips = parse_clips(clips)
    videos = list_videos(paths)
    _check_outputs(json_file, csv_file, report, annotate, videos, checkpoint)
    detector = _load(checkpoint, device, threads, backend, decoder=report is not None)
    judge = _judging(detector, report, len(videos), ReportOptions(num_clips, note, annotate, rotate))
    verdicts = []
    # One video needs no bar, and the table on standard output stays alone.
    console = Console(stderr=True, quiet=len(videos) < 2)
    with show_progress(console, "judging", "video", len(videos), transient=True) as advance:
        for path in videos:
            verdicts.append(_judge(judge, path, debug))
            advance()
    from deepfake_ssat.inference.description import checkpoint_record, settings_record

    records = checkpoint_record(detector), settings_record(detector, num_clips)
    document = results_document(verdicts, *records, note)
    printed = any(map(is_printed, (json_file, csv_file, report)))
    show(Console(stderr=printed, highlight=False), verdicts, details=details)
    if json_file is not None:
        write_file(json_file, json_text(document))
    if csv_file is not None:
        write_file(csv_file, results_csv(verdicts))
    all_scored = all(verdict.status is Status.SCORED for verdict in verdicts)
    return ALL_SCORED if all_scored else SOME_NOT_SCORED


def list_videos(paths: Sequence[Path]) -> list[Path]:
    """The files as given, and the videos in folders at any depth, behind links too, by name, each once.

    Of a folder that holds no video they are the pictures.

    A file is taken whatever its name; a missing path, or a folder without a video, raises DeepfakeError.
    """
    from deepfake_ssat.corpora.files import PICTURE_SUFFIXES, VIDEO_SUFFIXES, has_suffix, walk

    found: dict[Path, None] = {}
    for path in paths:
        if not os.path.exists(path):
            raise ConfigError(f"{path} does not exist, or may not be read; give video files or folders")
        inside = [path]
        if path.is_dir():
            listed = [folder.path / name for folder in walk(path) for name in folder.files]
            videos, pictures = (
                sorted(file for file in listed if has_suffix(file.name, suffixes))
                for suffixes in (VIDEO_SUFFIXES, PICTURE_SUFFIXES | HEIC_SUFFIXES)
            )
            # Beside videos lie covers and thumbnails.
            inside = videos or pictures
        if not inside:
            suffixes = " ".join(sorted(VIDEO_SUFFIXES))
            raise ConfigError(
                f"{path} holds no video ({suffixes}) and no picture; give a file, or a folder that holds some"
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def _judging(
    detector: Detector, report: Path | None, num_videos: int, options: ReportOptions
) -> Callable[[Path], VideoVerdict]:
    """How one video is judged: bare, with its page and marked copy, or as one of a folder of pages."""
    if report is None and options.annotated is None:
        return lambda path: detector.detect(path, options.clips, rotate=options.rotate)
    if report is None or is_page(report):
        return lambda path: report_video(detector, path, report, options).verdict
    return ReportFolder(report, detector, num_videos, options).judge


def _judge(judge: Callable[[Path], VideoVerdict], path: Path, debug: bool) -> VideoVerdict:
    """One video's verdict; one bad file must not cost the others theirs."""
    try:
        return judge(path)
    except OutputError:
        raise
    except Exception as error:
        if debug:
            raise
        detail = " ".join(str(error).split())
        if not isinstance(error, DeepfakeError):
            kind = type(error).__name__
            detail = f"internal error, please report it ({kind}: {detail}); --debug shows the traceback"
        return VideoVerdict(os.fspath(path), Status.UNREADABLE, warnings=(detail,))


def _load(checkpoint: Path | None, device: str, threads: int | None, backend: str, decoder: bool) -> Detector:
    import torch

    from deepfake_ssat.inference.detector import load_detector

    if threads is not None:
        torch.set_num_threads(threads)
    return load_detector(checkpoint, device, decoder=decoder, backend=backend)


def _check_outputs(
    json_file: Path | None,
    csv_file: Path | None,
    report: Path | None,
    annotate: Path | None,
    videos: Sequence[Path],
    checkpoint: Path | None,
) -> None:
    """Refuses, before any work, outputs that could not be written after it or are one of the inputs."""
    inputs = [*videos, checkpoint] if checkpoint else videos
    page = report if report is not None and is_page(report) else None
    if report is not None and page is None:
        make_folder(report, inputs)
    if annotate is not None:
        if len(videos) > 1:
            raise ConfigError(f"--annotate {annotate}: marks one video at a time, {len(videos)} are given")
        from deepfake_ssat.reporting.annotate import check_container

        check_file(annotate, inputs)
        check_container(annotate)
    if page is not None and len(videos) > 1:
        raise ConfigError(
            f"--report {page}: is the page of one video, {len(videos)} are given; give a folder for theirs"
        )
    for path in (json_file, csv_file, page):
        if path is not None:
            check_file(path, inputs, may_print=True)
    check_different({"--json": json_file, "--csv": csv_file, "--report": page, "--annotate": annotate})
