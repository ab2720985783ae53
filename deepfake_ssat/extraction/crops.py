"""Pictures that are faces already, into a manifest: measured, not searched, and left where they lie.

A copy would double the files of corpora with hundreds of thousands of them; stored anew they would be larger
or lose something; and packing them would save little: of reading a crop of DFDC (224 px, 4.7 kB) opening the
file is 3 % and decoding its JPEG the rest (3,000 of them). So ``clip_file`` leads from the manifest's folder
to the picture itself. A run needs no journal: it reads each picture once, in 1.3 CPU-milliseconds.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora.files import relative_name
from deepfake_ssat.errors import CorpusError, ManifestError, VideoError
from deepfake_ssat.extraction.account import Account
from deepfake_ssat.manifest import VideoWarning, dropped_video, video_columns
from deepfake_ssat.pool import Engine
from deepfake_ssat.progress import Progress
from deepfake_ssat.records import DroppedVideo, ManifestRow, SourceVideo, Status
from deepfake_ssat.video.frame_folder import LAST_NUMBER, numbered_pictures
from deepfake_ssat.video.picture import load_picture

PICTURES_A_TASK = 200
SQUARE = 1.05
"""Up to this ratio of its sides a crop passes for a square."""


@dataclass(frozen=True)
class TakenCrops:
    """What came of the pictures of all videos."""

    rows: list[ManifestRow]
    dropped: list[DroppedVideo]
    warnings: list[VideoWarning]
    account: Account


@dataclass(frozen=True)
class _Picture:
    """One crop of a video."""

    path: Path
    frame: int
    """The number in its name; 0 where the video has no other."""


@dataclass(frozen=True)
class _Measure:
    """What is found of a picture."""

    width: int = 0
    height: int = 0
    num_bytes: int = 0
    problem: str = ""
    """Why it cannot be read."""


def take_crops(
    videos: Sequence[SourceVideo],
    base: Path,
    out: Path,
    settings: ExtractionSettings,
    engine: Engine,
    progress: Progress,
) -> TakenCrops:
    """The rows of all pictures, ``videos`` naming each picture, or folder of pictures, of a video.

    ``base``: what sources are relative to; ``out``: what clip files are relative to. A picture that cannot
    be read is left out with a warning; a video of which none can is dropped.
    """
    started = time.monotonic()
    dropped: list[DroppedVideo] = []
    pictures: dict[SourceVideo, list[_Picture]] = {}
    for video, paths in _by_video(videos).items():
        try:
            pictures[video] = _pictures(paths)
        except VideoError as error:
            dropped.append(_unreadable(video, base, str(error)))
    every = [picture.path for members in pictures.values() for picture in members]
    measures, cpu_seconds = _measure_all(every, engine, progress)
    rows, warnings = [], []
    contract_hash = settings.hash()
    for video, members in pictures.items():
        found = [(picture, measures[picture.path]) for picture in members]
        read = [(picture, measure) for picture, measure in found if not measure.problem]
        if read:
            rows += [_row(video, *pair, base, out, settings.margin, contract_hash) for pair in read]
            told = _doubts([measure for _, measure in found])
            warnings += [VideoWarning(video.corpus, video.video_id, warning) for warning in told]
        else:
            dropped.append(_unreadable(video, base, found[0][1].problem))
    account = Account(
        videos=len({(video.corpus, video.video_id) for video in videos}),
        done_before=0,
        tracks=len({(row.corpus, row.video_id) for row in rows}),
        clip_files=len(rows),
        clips=len(rows),
        dropped={Status.UNREADABLE.value: len(dropped)} if dropped else {},
        failed=0,
        warnings=len(warnings),
        clip_bytes=sum(measure.num_bytes for measure in measures.values()),
        video_seconds=0.0,
        seconds=time.monotonic() - started,
        cpu_seconds=cpu_seconds,
        new_video_seconds=0.0,
    )
    return TakenCrops(rows, dropped, warnings, account)


def _by_video(videos: Iterable[SourceVideo]) -> dict[SourceVideo, list[Path]]:
    """Each video, by its first row, with all its paths; refuses rows that contradict each other."""
    members: dict[tuple[str, str], list[SourceVideo]] = defaultdict(list)
    for video in videos:
        members[video.corpus, video.video_id].append(video)
    for (_, name), rows in members.items():
        for row in rows[1:]:
            if replace(row, path=rows[0].path) != rows[0]:
                raise CorpusError(
                    f"video {name}: {rows[0].path} and {row.path} differ in label, split or another column; "
                    "give all crops of a video the same"
                )
    return {rows[0]: [row.path for row in rows] for rows in members.values()}


def _pictures(paths: Sequence[Path]) -> list[_Picture]:
    """The crops of one video by number; in their order where the names do not number them."""
    if len(paths) == 1 and paths[0].is_dir():
        return [_Picture(path, number) for number, path in numbered_pictures(paths[0]).items()]
    if len(paths) == 1:
        return [_Picture(paths[0], 0)]
    matches = [LAST_NUMBER.fullmatch(path.stem) for path in paths]
    numbers = [int(match.group(1)) for match in matches if match]
    if len(set(numbers)) < len(paths):
        numbers = list(range(len(paths)))
    return sorted(map(_Picture, paths, numbers), key=lambda picture: picture.frame)


def _measure_all(
    paths: Sequence[Path], engine: Engine, progress: Progress
) -> tuple[dict[Path, _Measure], float]:
    """Each picture's size, and the CPU-seconds that reading them all took."""
    tasks = [paths[start : start + PICTURES_A_TASK] for start in range(0, len(paths), PICTURES_A_TASK)]
    measures: dict[Path, _Measure] = {}
    cpu_seconds = 0.0
    with progress("preprocess", "picture", len(paths)) as advance:
        for outcome in engine(_prepare, tasks):
            if outcome.failure is not None:
                raise ManifestError(
                    f"reading {tasks[outcome.task][0]} and the {len(tasks[outcome.task]) - 1} after it: "
                    f"{outcome.failure}; run again"
                )
            found, seconds = outcome.value
            measures.update(zip(tasks[outcome.task], found, strict=True))
            cpu_seconds += seconds
            advance(len(found))
    return measures, cpu_seconds


def _prepare() -> Callable[[Sequence[Path]], tuple[list[_Measure], float]]:
    return _measure


def _measure(paths: Sequence[Path]) -> tuple[list[_Measure], float]:
    started = time.process_time()
    measures = []
    for path in paths:
        try:
            height, width = load_picture(path)[0].shape[:2]
            measures.append(_Measure(width, height, path.stat().st_size))
        except VideoError as error:
            measures.append(_Measure(problem=str(error)))
    return measures, time.process_time() - started


def _doubts(measures: Sequence[_Measure]) -> Iterator[str]:
    """What to know of a video's crops."""
    problems = [measure.problem for measure in measures if measure.problem]
    if problems:
        yield f"{len(problems)} of {len(measures)} crops cannot be read: {problems[0]}"
    sides = [(measure.width, measure.height) for measure in measures if not measure.problem]
    stretched = [pair for pair in sides if max(pair) > SQUARE * min(pair)]
    if stretched:
        width, height = stretched[0]
        yield (
            f"{len(stretched)} of {len(measures)} crops are not square, such as {width}x{height}: they are "
            "shown stretched"
        )


def _row(
    video: SourceVideo,
    picture: _Picture,
    measure: _Measure,
    base: Path,
    out: Path,
    margin: float,
    contract_hash: str,
) -> ManifestRow:
    """The face box lies in the middle of its crop, so much smaller as the margin says."""
    part = 1.0 / (1.0 + margin)
    width, height = part * measure.width, part * measure.height
    left, top = (measure.width - width) / 2, (measure.height - height) / 2
    box = (left, top, left + width, top + height)
    return ManifestRow(
        **video_columns(video),
        source=relative_name(picture.path, base),
        clip_file=Path(os.path.relpath(os.path.abspath(picture.path), os.path.realpath(out))).as_posix(),
        track_id=0,
        first_frame=picture.frame,
        frame_stride=1,
        num_frames=1,
        start_seconds=0.0,
        end_seconds=0.0,
        box=tuple(round(value, 2) for value in box),  # pyright: ignore[reportArgumentType]
        face_size=round(max(width, height), 2),
        contract_hash=contract_hash,
    )


def _unreadable(video: SourceVideo, base: Path, problem: str) -> DroppedVideo:
    return dropped_video(video, relative_name(video.path, base), Status.UNREADABLE, problem)
