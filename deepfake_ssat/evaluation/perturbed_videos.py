"""Judges source videos under perturbations, in several processes; one file of results for each of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.commands.progress import show_progress
from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.evaluation.perturbed_clips import PerturbedScoring
from deepfake_ssat.evaluation.source_videos import JudgedSource, SourceTask, judge_source
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.pool import Outcome, map_in_processes
from deepfake_ssat.records import ClipScore, ManifestRow, Status
from deepfake_ssat.video.perturbation import Perturbation

MOST_PROCESSES = {"cpu": 8, "cuda": 4}
"""Each holds the networks and some frames, about a gigabyte."""
Rows = tuple[ManifestRow, ...]


@dataclass(frozen=True)
class Sources:
    """Where the source video of each video of the manifest lies."""

    paths: Mapping[tuple[str, str], Path]
    """By corpus and video."""

    @classmethod
    def find(cls, roots: Sequence[str], videos: Sequence[Rows]) -> Sources:
        """From ``DIR`` and ``CORPUS=DIR``; raises ConfigError naming what is missing."""
        folders: dict[str, Path] = {}
        corpora = {rows[0].corpus for rows in videos}
        for text in roots:
            corpus, found, folder = text.rpartition("=")
            if found and corpus not in corpora:
                known = ", ".join(sorted(corpora))
                raise ConfigError(f"--videos-root {text}: the videos are of {known}, none of {corpus!r}")
            if not Path(folder).is_dir():
                raise ConfigError(
                    f"--videos-root {text}: {folder} is no folder; give the one preprocess read"
                )
            folders[corpus] = Path(folder)
        rootless = sorted(corpora - set(folders)) if "" not in folders else []
        if rootless:
            raise ConfigError(f"no --videos-root for {', '.join(rootless)}; add {rootless[0]}=DIR")
        paths = {
            (row.corpus, row.video_id): folders.get(row.corpus, folders.get("", Path())) / row.source
            for row in (rows[0] for rows in videos)
        }
        absent = [path for path in paths.values() if not path.is_file()]
        if absent:
            raise ConfigError(
                f"{len(absent)} of {len(paths)} source videos are missing, such as {absent[0]}; "
                "give --videos-root the folder that preprocess read"
            )
        return cls(paths)


def judge_perturbed_videos(
    videos: Sequence[Rows],
    sources: Sources,
    perturbations: Sequence[Perturbation | None],
    scoring: PerturbedScoring,
) -> Iterator[tuple[Perturbation | None, list[JudgedSource]]]:
    """What becomes of every video under each perturbation (None: as it is), in the order given.

    Results are written video by video. A process that dies, or a bug, ends the run; what is written stays.
    """
    files = {each: JudgedFile(scoring.file(each, ".jsonl"), scoring.run) for each in perturbations}
    missing = [
        (each, SourceTask(sources.paths[_key(rows)], rows, each, scoring.seed))
        for each in perturbations
        for rows in videos
        if _key(rows) not in files[each].judged
    ]
    total = len(videos) * len(perturbations)
    with show_progress(scoring.console, "perturbed videos", "video", total) as advance:
        advance(total - len(missing))
        for outcome in _outcomes([task for _, task in missing], scoring):
            each, task = missing[outcome.task]
            if outcome.traceback:
                raise RuntimeError(f"{task.path}, perturbed by {each}:\n{outcome.traceback}")
            if outcome.failure is not None:
                raise VideoError(
                    f"{task.path}, perturbed by {each}: {outcome.failure}; the same command goes on from here"
                )
            files[each].append(_key(task.rows), outcome.value)
            advance(note=str(each or "as they are"))
    for each in perturbations:
        yield each, [files[each].judged[_key(rows)] for rows in videos]


def _outcomes(tasks: Sequence[SourceTask], scoring: PerturbedScoring) -> Iterator[Outcome]:
    """In this process where one is enough."""
    device = scoring.detector.device.type
    processes = min(scoring.threads or os.cpu_count() or 1, MOST_PROCESSES[device], len(tasks))
    if processes > 1:
        yield from map_in_processes(PrepareJudging(scoring.detector.path, device), tasks, processes)
        return
    for number, task in enumerate(tasks):
        yield Outcome(number, judge_source(scoring.detector, task))


@dataclass(frozen=True)
class PrepareJudging:
    """Called once in each process: loads the detector, gives the function of one video."""

    checkpoint: Path
    device: str

    def __call__(self) -> Callable[[SourceTask], JudgedSource]:
        """One thread per process: the processes are the parallelism."""
        import cv2
        import torch

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        detector: Detector = load_detector(self.checkpoint, self.device)
        return lambda task: judge_source(detector, task)


class JudgedFile:
    """Results of one perturbation, a line of JSON a video, written as they come."""

    def __init__(self, path: Path, run: str) -> None:
        """Takes over complete lines; raises ConfigError for those of another run."""
        self.judged: dict[tuple[str, str], JudgedSource] = {}
        self._path, self._run = path, run
        path.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes() if path.is_file() else b""
        complete = data.rfind(b"\n") + 1
        for line in data[:complete].splitlines():
            self._take(line)
        with path.open("ab") as file:
            file.truncate(complete)

    def append(self, video: tuple[str, str], judged: JudgedSource) -> None:
        """Adds one, which a kill after this call does not lose."""
        clips = [(c.track_id, c.start_seconds, c.end_seconds, c.probability) for c in judged.clips]
        names = {"run": self._run, "corpus": video[0], "video_id": video[1]}
        line = {**names, "status": judged.status.value, "detail": judged.detail, "clips": clips}
        with self._path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
        self.judged[video] = judged

    def _take(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            run = values["run"]
            clips = tuple(ClipScore(*clip) for clip in values["clips"])
            judged = JudgedSource(Status(values["status"]), values["detail"], clips)
            self.judged[values["corpus"], values["video_id"]] = judged
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._path} is damaged ({error}); delete it, or give another --out"
            ) from error
        if run != self._run:
            raise ConfigError(
                f"{self._path} holds scores of another checkpoint, manifest, seed or precision (run {run}, "
                f"this is {self._run}); give another --out, or delete its folder"
            )


def _key(rows: Rows) -> tuple[str, str]:
    return rows[0].corpus, rows[0].video_id
