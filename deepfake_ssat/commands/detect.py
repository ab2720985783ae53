"""``deepfake-ssat detect``: videos in, a verdict or the reason for none out, for each of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
    reader: Literal["pyav", "decord"] = "pyav",
    threads: int | None = None,
    debug: bool = False,
) -> int:
    """Judges files and folders, prints a table, and writes JSON and CSV where asked; ``-`` prints them.

    Returns 0 when every video was scored, 3 when some were not. Raises DeepfakeError, before the first video
    is judged, for paths, options and checkpoints that cannot be used. An internal error in one video is
    reported as that video's, unless ``debug`` lets it through.
    """
    num_clips = parse_clips(clips)
    _check_outputs(json_file, csv_file)
    videos = list_videos(paths)
    detector = _load(checkpoint, device, threads)
    verdicts = []
    with _progress(len(videos)) as step:
        for path in videos:
            verdicts.append(_judge(detector, path, num_clips, reader, debug))
            step(path)
    document = results_document(
        verdicts, _checkpoint_record(detector), _settings_record(detector, num_clips, reader)
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


def _judge(
    detector: Detector, path: Path, clips: int | None, reader: Literal["pyav", "decord"], debug: bool
) -> VideoVerdict:
    """One video's verdict; one bad file must not cost the others theirs."""
    try:
        return detector.detect(path, clips, reader)
    except Exception as error:
        if debug:
            raise
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        if not isinstance(error, DeepfakeError):
            detail = f"internal error, please report it ({detail}); --debug shows the traceback"
        return VideoVerdict(os.fspath(path), Status.UNREADABLE, warnings=(detail,))


def _load(checkpoint: Path | None, device: str, threads: int | None) -> Detector:
    import torch

    from deepfake_ssat.inference.detector import load_detector

    if threads is not None:
        torch.set_num_threads(threads)
    return load_detector(checkpoint, device)


def _check_outputs(json_file: Path | None, csv_file: Path | None) -> None:
    """Refuses, before any work, outputs that could not be written after it."""
    if json_file == csv_file == STANDARD_OUTPUT:
        raise ConfigError("--json - and --csv - cannot both print; write one of them to a file")
    if json_file is not None and json_file == csv_file:
        raise ConfigError(f"--json and --csv both write {json_file}; give two files")
    for path in (json_file, csv_file):
        if path is None or path == STANDARD_OUTPUT:
            continue
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; give a file to write to")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{path}: its folder cannot be made ({error.strerror}); give another"
            ) from error
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


def _checkpoint_record(detector: Detector) -> dict[str, Any]:
    """The ``checkpoint`` of the JSON document."""
    checkpoint = detector.checkpoint
    return {
        "path": str(detector.path),
        "sha256": checkpoint.hash,
        "kind": checkpoint.kind,
        "threshold": checkpoint.decision.threshold,
        "uncertain_low": checkpoint.decision.uncertain_low,
        "uncertain_high": checkpoint.decision.uncertain_high,
        "temperature": checkpoint.decision.temperature,
        "contract_hash": detector.contract.hash(),
        "provenance": checkpoint.provenance,
    }


def _settings_record(detector: Detector, clips: int | None, reader: str) -> dict[str, Any]:
    """The ``settings`` of the JSON document: what a score depends on besides the checkpoint."""
    return {
        "clips": "all" if clips is None else clips,
        "reader": reader,
        "device": str(detector.device),
        "precision": detector.precision,
        "aggregation": {"clips": detector.policy.clips, "faces": detector.policy.faces},
    }


@contextmanager
def _progress(num_videos: int) -> Iterator[Callable[[Path], None]]:
    """A bar with the time left on standard error, for several videos in front of a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=num_videos < 2 or not console.is_terminal
    ) as bar:
        task = bar.add_task("judging", total=num_videos)
        yield lambda path: bar.update(task, advance=1)
