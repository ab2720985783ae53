"""One checkpoint on one manifest: how clips are scored, put together by video, and where scores are kept."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.clip_scores import CLIP_SCORES_FILE, ClipScoreFile
from deepfake_ssat.evaluation.scoring import Scoring, score_in_workers
from deepfake_ssat.evaluation.stored_clips import FRAMES_PER_FACE, ChangePixels, StoredClip, plan_clips
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.inference.verdict import scored_verdict
from deepfake_ssat.manifest import Manifest, load_manifest, people
from deepfake_ssat.models.decision import AggregationPolicy, Decision
from deepfake_ssat.outputs import make_folder, room_needed
from deepfake_ssat.pool import Engine, open_engine
from deepfake_ssat.progress import Advance, Progress, silent
from deepfake_ssat.records import Box, ClipScore, EvaluatedVideo, ManifestRow, VideoVerdict, mean_box

LOCK_FILE = ".evaluate.lock"
BATCH_CLIPS = {"cpu": 4, "cuda": 32}


@dataclass(frozen=True)
class Evaluation:
    """What scores which clips, and how they become the videos' probabilities."""

    detector: Detector
    manifest: Manifest
    folder: Path
    """For the files of scores, by which an interrupted run goes on; one run at a time."""
    policy: AggregationPolicy
    batch: int
    """Clips scored at a time."""
    seed: int = 0
    """Of bootstrap intervals and perturbations."""
    progress: Progress = silent
    cluster: Engine | None = None
    """What scores clips and judges source videos; None: this machine."""
    threads: int = 1
    """Of a worker of the cluster."""

    def __post_init__(self) -> None:
        self.detector.contract.require_readable(
            self.manifest.contract,
            ours=f"checkpoint {self.detector.path}",
            theirs=f"manifest {self.manifest.root}",
        )

    @property
    def decision(self) -> Decision | None:
        """The checkpoint's; None where it was made for scores that are put together otherwise."""
        decision = self.detector.checkpoint.decision
        return decision if decision.aggregation == self.policy else None

    @property
    def unit(self) -> str:
        """What one score is of."""
        return "frame" if self.detector.checkpoint.settings.frames == 1 else "clip"

    @property
    def scoring_rule(self) -> str:
        """Which clips or frames are scored, in words."""
        if self.unit == "frame":
            return f"up to {FRAMES_PER_FACE} single frames spread evenly over each face"
        return f"all non-overlapping segments of {self.detector.checkpoint.settings.frames} stored frames"

    @property
    def run_key(self) -> str:
        """16 hexadecimal digits of all that a clip's score depends on."""
        parts = [
            self.detector.checkpoint.hash,
            self.manifest.hash,
            self.detector.device.type,
            self.detector.precision,
            FRAMES_PER_FACE if self.unit == "frame" else None,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def plan(self, rows: Sequence[ManifestRow]) -> list[StoredClip]:
        """The clips of these rows that are scored."""
        return plan_clips(rows, self.detector.checkpoint.settings.frames)

    def score(self, rows: Sequence[ManifestRow]) -> tuple[list[EvaluatedVideo], int]:
        """Every video of the rows in their order, and how many of its clips' scores were there before.

        Scores go to ``clip_scores.csv`` batch by batch; those already there are not computed again.
        """
        clips = self.plan(rows)
        with ClipScoreFile(self.folder / CLIP_SCORES_FILE, self.run_key) as scores:
            missing = [clip for clip in clips if clip not in scores]
            with self.progress(f"scoring {self.unit}s", self.unit, len(missing)) as advance:
                self.score_into(scores, missing, advance)
            return self.put_together(clips, scores), len(clips) - len(missing)

    def score_into(
        self,
        scores: ClipScoreFile,
        clips: Sequence[StoredClip],
        advance: Advance,
        change: ChangePixels | None = None,
        note: str = "",
    ) -> None:
        """Scores clips, changed first where ``change`` is given, and keeps each batch as it comes."""
        shown = self.detector.contract.part_of(self.manifest.contract)
        scoring = Scoring(self.manifest.root, self.batch, shown)
        if self.cluster is None:
            batches = scoring.score(self.detector, clips, change)
        else:
            batches = score_in_workers(self.cluster, scoring, self.detector, clips, change, self.threads)
        for part, probabilities in batches:
            scores.append(part, probabilities.tolist())
            advance(len(part), note)

    def put_together(self, clips: Sequence[StoredClip], scores: ClipScoreFile) -> list[EvaluatedVideo]:
        """Every video of the clips, in their order."""
        by_video: dict[tuple[str, str], list[StoredClip]] = defaultdict(list)
        for clip in clips:
            by_video[clip.row.corpus, clip.row.video_id].append(clip)
        videos = []
        for members in by_video.values():
            rows = list(dict.fromkeys(clip.row for clip in members))
            scored = [clip.scored(scores[clip]) for clip in members]
            videos.append(evaluated_video(rows, self.judge(rows[0].source, scored, mean_boxes(rows))))
        return videos

    def judge(self, path: str, clips: Iterable[ClipScore], boxes: Mapping[int, Box]) -> VideoVerdict:
        """The verdict that follows from a video's clips."""
        return scored_verdict(path, clips, boxes, self.policy, self.decision)


@contextmanager
def open_evaluation(
    checkpoint: Path | str | None,
    manifest: Path | str,
    folder: Path,
    *,
    clip_rule: str | None = None,
    face_rule: str | None = None,
    device: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    threads: int = 1,
    ray: str | None = None,
    progress: Progress = silent,
) -> Iterator[Evaluation]:
    """Loads both and holds the folder's lock; the rules are the checkpoint's unless others are given.

    With ``ray`` the workers of the cluster there, of so many ``threads`` each, do what scores depend on.
    """
    detector = load_detector(checkpoint, device)
    kind = detector.device.type
    files = filter(None, (detector.own_path, Path(manifest)))
    with (
        open_engine(ray=ray, device=kind, threads=threads, files=files) if ray else nullcontext() as cluster,
        locked(folder, [Path(manifest)]),
    ):
        yield Evaluation(
            detector,
            load_manifest(Path(manifest)),
            folder,
            detector.checkpoint.decision.aggregation.changed(clip_rule, face_rule),
            batch or BATCH_CLIPS[kind],
            seed,
            progress,
            cluster,
            threads,
        )


@contextmanager
def locked(folder: Path, inputs: Iterable[Path] = ()) -> Iterator[None]:
    """A folder of scores, none of the inputs, for one run at a time; made where it is not there."""
    make_folder(folder, inputs)
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    with room_needed(folder):
        try:
            lock.acquire()
        except Timeout as error:
            raise ConfigError(
                f"{folder}: another evaluate writes there, or a calibrate; wait, or give another folder"
            ) from error
        try:
            yield
        finally:
            lock.release()


def evaluated_video(rows: Sequence[ManifestRow], verdict: VideoVerdict) -> EvaluatedVideo:
    """One video, of which these are rows, with its verdict."""
    row = rows[0]
    return EvaluatedVideo(
        corpus=row.corpus,
        video_id=row.video_id,
        label=row.label,
        manipulation=row.manipulation,
        split=row.split,
        compression=row.compression,
        people=tuple(people(rows)),
        verdict=verdict,
    )


def mean_boxes(rows: Sequence[ManifestRow]) -> dict[int, Box]:
    """By track, the mean face box over the stored frames."""
    found: dict[int, Box] = {}
    for track in dict.fromkeys(row.track_id for row in rows):
        own = [row for row in rows if row.track_id == track]
        found[track] = mean_box([row.box for row in own], [row.num_frames for row in own])
    return found
