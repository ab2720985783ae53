"""``deepfake-ssat detect``: videos in, a verdict or the reason for none out, for each of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.errors import ConfigError, DeepfakeError
from deepfake_ssat.records import Status, VideoVerdict
from deepfake_ssat.reporting.verdicts import print_verdicts, results_csv, results_document, results_json

if TYPE_CHECKING:
    from deepfake_ssat.inference.detector import Detector

ALL_SCORED, SOME_NOT_SCORED = 0, 3
STANDARD_OUTPUT = Path("-")


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
) -> int:
    """Judges files and folders, prints a table, and writes JSON and CSV where asked; ``-`` prints them.

    ``report`` is the HTML page of one video, or a folder for the pages and the index of several; ``annotate``
    a marked copy of one video. ``backend`` is what computes the scores, torch or openvino.

    Returns 0 when every video was scored, 3 when some were not. Raises DeepfakeError, before the first video
    is judged, for paths, options and checkpoints that cannot be used. An internal error in one video is
    reported as that video's, unless ``debug`` lets it through.
    """
    num_clips = parse_clips(clips)
    _check_outputs(json_file, csv_file)
    videos = list_videos(paths)
    _check_pages(report, annotate, videos)
    detector = _load(checkpoint, device, threads, backend, decoder=report is not None)
    judge = _judging(detector, num_clips, report, annotate, len(videos))
    verdicts = []
    # One video needs no bar, and the table on standard output stays alone.
    console = Console(stderr=True, quiet=len(videos) < 2)
    with show_progress(console, "judging", "video", len(videos), transient=True) as advance:
        for path in videos:
            verdicts.append(_judge(judge, path, debug))
            advance()
    from deepfake_ssat.inference.description import checkpoint_record, settings_record

    document = results_document(
        verdicts, checkpoint_record(detector), settings_record(detector, num_clips)
    )
    _write(json_file, results_json(document).encode())
    # A file name that is not UTF-8 keeps its bytes.
    _write(csv_file, results_csv(verdicts).encode("utf-8", "surrogateescape"))
    print_verdicts(verdicts, Console(stderr=STANDARD_OUTPUT in (json_file, csv_file), highlight=False))
    all_scored = all(verdict.status is Status.SCORED for verdict in verdicts)
    return ALL_SCORED if all_scored else SOME_NOT_SCORED


def parse_clips(text: str) -> int | None:
    """``all`` is None; anything but a positive number else raises ConfigError."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--clips {text}: give a number from 1, or all")
    return int(text)


def list_videos(paths: Sequence[Path]) -> list[Path]:
    """The files as given, and the videos in folders at any depth, by name, each once.

    A file is taken whatever its name; a missing path, or a folder without a video, raises ConfigError.
    """
    from deepfake_ssat.corpora.index import VIDEO_SUFFIXES, is_video

    found: dict[Path, None] = {}
    for path in paths:
        if not os.path.exists(path):
            raise ConfigError(f"{path} does not exist, or may not be read; give video files or folders")
        inside = [path]
        if path.is_dir():
            walk = sorted((folder, sorted(names)) for folder, _, names in os.walk(path, onerror=_refuse))
            inside = [
                Path(folder, name) for folder, names in walk for name in names if is_video(Path(folder, name))
            ]
        if not inside:
            suffixes = " ".join(sorted(VIDEO_SUFFIXES))
            raise ConfigError(f"{path} holds no video ({suffixes}); give a file, or a folder that holds some")
        found.update(dict.fromkeys(inside))
    return list(found)


def _refuse(error: OSError) -> None:
    """A folder below a given one that cannot be listed: its videos would be missing without a word."""
    raise ConfigError(f"{error.filename} cannot be read ({error.strerror}); give it leave, or other paths")


def _judging(
    detector: Detector,
    clips: int | None,
    report: Path | None,
    annotate: Path | None,
    num_videos: int,
) -> Callable[[Path], VideoVerdict]:
    """How one video is judged: bare, with its page and marked copy, or as one of a folder of pages."""
    if report is None and annotate is None:
        return lambda path: detector.detect(path, clips)
    from deepfake_ssat.commands.detection_reports import ReportFolder, report_video

    if num_videos == 1 or report is None:
        return lambda path: report_video(detector, path, clips, report, annotate)
    return ReportFolder(report, detector, clips, num_videos).judge


def _judge(judge: Callable[[Path], VideoVerdict], path: Path, debug: bool) -> VideoVerdict:
    """One video's verdict; one bad file must not cost the others theirs."""
    try:
        return judge(path)
    except Exception as error:
        if debug:
            raise
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        if not isinstance(error, DeepfakeError):
            detail = f"internal error, please report it ({detail}); --debug shows the traceback"
        return VideoVerdict(os.fspath(path), Status.UNREADABLE, warnings=(detail,))


def _load(checkpoint: Path | None, device: str, threads: int | None, backend: str, decoder: bool) -> Detector:
    import torch

    from deepfake_ssat.inference.detector import load_detector

    if threads is not None:
        torch.set_num_threads(threads)
    return load_detector(checkpoint, device, decoder=decoder, backend=backend)


def _check_pages(report: Path | None, annotate: Path | None, videos: Sequence[Path]) -> None:
    """Refuses, before any work, pages and copies that could not be written, or would overwrite a video."""
    if annotate is not None and len(videos) > 1:
        raise ConfigError(f"--annotate {annotate}: marks one video at a time, {len(videos)} are given")
    if report is not None and len(videos) == 1:
        _check_output(report)
    if annotate is not None:
        _check_output(annotate)
    for output in (report, annotate):
        if output is not None and any(output.exists() and output.samefile(video) for video in videos):
            raise ConfigError(f"{output} is the video itself; give another file to write to")


def _check_outputs(json_file: Path | None, csv_file: Path | None) -> None:
    """Refuses, before any work, outputs that could not be written after it."""
    if json_file == csv_file == STANDARD_OUTPUT:
        raise ConfigError("--json - and --csv - cannot both print; write one of them to a file")
    if json_file is not None and json_file == csv_file:
        raise ConfigError(f"--json and --csv both write {json_file}; give two files")
    for path in (json_file, csv_file):
        if path is not None and path != STANDARD_OUTPUT:
            _check_output(path)


def _check_output(path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give a file to write to")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: its folder cannot be made ({error.strerror}); give another") from error
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: its folder is not writable; give another")


def _write(path: Path | None, data: bytes) -> None:
    """The whole file or none; ``-`` is standard output, None nothing."""
    from deepfake_ssat.manifest import replace_file

    if path == STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    elif path is not None:
        try:
            replace_file(path, data)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written ({error.strerror}); give another file") from error
