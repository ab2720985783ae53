"""Judges source videos under perturbations, in several processes; one file of results for each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.evaluation.evaluation import Evaluation
from deepfake_ssat.evaluation.perturbed_clips import run_key, score_file
from deepfake_ssat.evaluation.source_videos import SourceTask, judge_source
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.inference.verdict import unscored_verdict
from deepfake_ssat.pool import Outcome, map_in_processes, num_cores
from deepfake_ssat.records import Box, ClipScore, ManifestRow, Status, VideoVerdict
from deepfake_ssat.text import parse_json
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
    evaluation: Evaluation,
    videos: Sequence[Rows],
    sources: Sources,
    perturbations: Sequence[Perturbation | None],
    processes: int | None = None,
) -> Iterator[tuple[Perturbation | None, list[VideoVerdict]]]:
    """The verdict on every video under each perturbation (None: as it is), in the order given.

    ``processes`` judge them, by default one a CPU core as far as the memory allows. Results are written video
    by video. A process that dies, or a bug, ends the run; what is written stays.
    """
    files = {each: JudgedFile(evaluation, each) for each in perturbations}
    missing = [
        (each, SourceTask(sources.paths[_key(rows)], rows, each, evaluation.seed))
        for each in perturbations
        for rows in videos
        if _key(rows) not in files[each].verdicts
    ]
    total = len(videos) * len(perturbations)
    with evaluation.progress("perturbed videos", "video", total) as advance:
        advance(total - len(missing))
        for outcome in _outcomes(evaluation, [task for _, task in missing], processes):
            each, task = missing[outcome.task]
            if outcome.traceback:
                raise RuntimeError(f"{task.path}, perturbed by {each}:\n{outcome.traceback}")
            if outcome.failure is not None:
                raise VideoError(
                    f"{task.path}, perturbed by {each}: {outcome.failure}; the same command goes on from here"
                )
            files[each].append(task.rows, outcome.value)
            advance(note=str(each or "as they are"))
    for each in perturbations:
        yield each, [files[each].verdicts[_key(rows)] for rows in videos]


def _outcomes(
    evaluation: Evaluation, tasks: Sequence[SourceTask], processes: int | None
) -> Iterator[Outcome]:
    """In this process where one is enough."""
    device = evaluation.detector.device.type
    prepare = PrepareJudging(evaluation.detector.own_path, device)
    if evaluation.cluster is not None:
        yield from evaluation.cluster(prepare, tasks)
        return
    processes = min(processes or num_cores(), MOST_PROCESSES[device], len(tasks))
    if processes > 1:
        yield from map_in_processes(prepare, tasks, processes)
        return
    for number, task in enumerate(tasks):
        yield Outcome(number, judge_source(evaluation.detector, task))


@dataclass(frozen=True)
class PrepareJudging:
    """Called once in each process: loads the detector, gives the function of one video."""

    checkpoint: Path | None
    device: str

    def __call__(self) -> Callable[[SourceTask], VideoVerdict]:
        """One thread per process: the processes are the parallelism."""
        import cv2
        import torch

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        detector = load_detector(self.checkpoint, self.device)
        return lambda task: judge_source(detector, task)


class JudgedFile:
    """The verdicts under one perturbation, a line of JSON a video, written as they come.

    A line holds the scored clips and the faces' boxes; what becomes of them is the evaluation's policy.
    """

    def __init__(self, evaluation: Evaluation, perturbation: Perturbation | None) -> None:
        """Takes over complete lines; raises ConfigError for those of another run."""
        self.verdicts: dict[tuple[str, str], VideoVerdict] = {}
        """By corpus and video."""
        self._evaluation, self._run = evaluation, run_key(evaluation)
        self._path = score_file(evaluation, perturbation, ".jsonl")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = self._path.read_bytes() if self._path.is_file() else b""
        complete = data.rfind(b"\n") + 1
        for line in data[:complete].splitlines():
            self._take(line)
        with self._path.open("ab") as file:
            file.truncate(complete)

    def append(self, rows: Rows, verdict: VideoVerdict) -> None:
        """Adds one, which a kill after this call does not lose."""
        line = {
            "run": self._run,
            "corpus": rows[0].corpus,
            "video_id": rows[0].video_id,
            "path": rows[0].source,
            "status": verdict.status.value,
            "detail": "" if verdict.status is Status.SCORED else verdict.warnings[0],
            "clips": [(c.track_id, c.start_seconds, c.end_seconds, c.probability) for c in verdict.clips],
            "boxes": [(face.track_id, face.box) for face in verdict.faces],
        }
        data = json.dumps(line).encode()
        with self._path.open("ab") as file:
            file.write(data + b"\n")
        self._take(data)

    def _take(self, line: bytes) -> None:
        try:
            values = parse_json(line)
            run, key = values["run"], (values["corpus"], values["video_id"])
            path, status, detail = values["path"], Status(values["status"]), values["detail"]
            clips = [ClipScore(*clip) for clip in values["clips"]]
            boxes: dict[int, Box] = {track: (x0, y0, x1, y1) for track, (x0, y0, x1, y1) in values["boxes"]}
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._path} is damaged, or of an older version ({error}); delete it, or give another --out"
            ) from error
        if run != self._run:
            raise ConfigError(
                f"{self._path} holds scores of another checkpoint, manifest, seed or precision (run {run}, "
                f"this is {self._run}); give another --out, or delete its folder"
            )
        if status is Status.SCORED:
            self.verdicts[key] = self._evaluation.judge(path, clips, boxes)
        else:
            self.verdicts[key] = unscored_verdict(path, status, [detail])


def _key(rows: Rows) -> tuple[str, str]:
    return rows[0].corpus, rows[0].video_id
