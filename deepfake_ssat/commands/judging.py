"""How ``detect`` judges each of its videos: here one after the other, or in processes that may die."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ssat.commands.detection_reports import ReportFolder, ReportOptions, is_page, report_video
from deepfake_ssat.errors import DeepfakeError, OutputError
from deepfake_ssat.pool import Engine, num_cores
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.records import Status, VideoVerdict
from deepfake_ssat.reporting.detection_report import counted, outcome_of

if TYPE_CHECKING:
    from deepfake_ssat.inference.description import Described
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.inference.explanation import Explanation

Judge = Callable[[Path], VideoVerdict]
MANY_VIDEOS = 16
"""From so many on, workers are worth their start, some four CPU-seconds each."""
MOST_WORKERS = 4
"""Where nobody said how many: each takes most of a gigabyte."""


@dataclass(frozen=True)
class Judged:
    """What was found of a video."""

    verdict: VideoVerdict
    failed: bool = False
    """The process died on it, which another time may not."""


class Results:
    """The verdicts of one run, in whatever order they come."""

    def __init__(self, videos: Mapping[str, Path], known: Mapping[str, VideoVerdict]) -> None:
        self.videos = videos
        """By name; what results call it."""
        self._verdicts = dict(known)
        self._num_known = len(known)
        self._counter = Counter(map(outcome_of, known.values()))
        self._started = time.monotonic()

    def add(self, verdict: VideoVerdict) -> None:
        """One more, or one that was known already."""
        before = self._verdicts.get(verdict.path)
        if before is not None:
            self._counter[outcome_of(before)] -= 1
        self._verdicts[verdict.path] = verdict
        self._counter[outcome_of(verdict)] += 1

    def waiting(self) -> list[Path]:
        """Those without a verdict."""
        return [path for name, path in self.videos.items() if name not in self._verdicts]

    def in_order(self) -> list[VideoVerdict]:
        """The verdicts so far, in the order of the videos."""
        found = (self._verdicts.get(name) for name in self.videos)
        return [verdict for verdict in found if verdict is not None]

    @property
    def all_scored(self) -> bool:
        """Whether every verdict has a probability."""
        return all(verdict.status is Status.SCORED for verdict in self._verdicts.values())

    def counts(self) -> str:
        """Such as ``1 fake, 2 real``."""
        return counted(self._counter)

    def account(self) -> list[str]:
        """How long a run over several videos took, what was known before, and what is missing."""
        if len(self.videos) < 2:
            return []
        seconds = time.monotonic() - self._started
        new = len(self._verdicts) - self._num_known
        before = f", {self._num_known} before" if self._num_known else ""
        lines = [f"judged {new} in {timedelta(seconds=round(seconds))}, {60 * new / seconds:.1f}/min{before}"]
        if missing := len(self.videos) - len(self._verdicts):
            lines.append(f"{missing} of {len(self.videos)} were not judged")
        return lines


@dataclass(frozen=True)
class Judging:
    """What a command was asked to do to every video; calling it in a worker process gives the judge."""

    options: ReportOptions
    checkpoint: Path | None = None
    device: str = "auto"
    threads: int | None = None
    backend: str = "torch"
    report: Path | None = None
    """The page of one video, or the folder of all pages."""
    debug: bool = False
    """An internal error in one video is let through."""

    def __call__(self) -> Judge:
        """The judge of a process of its own."""
        return self.judge_with(self.load())

    def workers_for(self, num_videos: int) -> int | None:
        """In how many processes so many videos are judged best; None: in this one alone.

        One process of several threads leaves cores idle, since it decodes and scores a video at a time.
        """
        from deepfake_ssat.inference.device import resolve_device

        if num_videos < MANY_VIDEOS or self.debug or resolve_device(self.device).type != "cpu":
            return None
        workers = min(num_cores() // (self.threads or 1), MOST_WORKERS)
        return workers if workers > 1 else None

    def in_each_of(self, workers: int | None, device: str) -> Judging:
        """The same for one of so many processes, which share the cores; None: those of a cluster do not."""
        threads = self.threads or (max(1, num_cores() // workers) if workers else 1)
        return replace(self, threads=threads, device=device)

    def load(self) -> Detector:
        """The detector, in this process."""
        import torch

        from deepfake_ssat.inference.detector import load_detector

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        return load_detector(
            self.checkpoint, self.device, decoder=self.report is not None, backend=self.backend
        )

    def describe(self) -> Described:
        """The detector that workers load."""
        from deepfake_ssat.inference.unloaded import describe_detector

        return describe_detector(self.checkpoint, self.device, self.backend)

    def judge_with(
        self,
        detector: Detector,
        progress: Progress = silent,
        keep: Callable[[Explanation], None] | None = None,
    ) -> Judge:
        """One bad file's verdict says so, and does not cost the others theirs; ``keep`` sees explanations."""
        judge = self._judge(detector, progress, keep)

        def guarded(path: Path) -> VideoVerdict:
            try:
                return self.options.named(judge(path), path)
            except OutputError:
                raise
            except Exception as error:
                if self.debug:
                    raise
                name = self.options.name_of(path)
                return VideoVerdict(name, Status.UNREADABLE, warnings=(_in_words(error),))

        return guarded

    def _judge(
        self, detector: Detector, progress: Progress, keep: Callable[[Explanation], None] | None
    ) -> Judge:
        """Bare, with its page, or as one of a folder of pages."""
        options = self.options

        def judge_only(path: Path) -> VideoVerdict:
            with options.at_hand(path, progress) as here:
                return detector.detect(here, options.clips, rotate=options.rotate, progress=progress)

        if self.report is None and keep is None:
            return judge_only
        if self.report is not None and not is_page(self.report):
            return ReportFolder(self.report, detector, options, progress, keep).judge

        def judge(path: Path) -> VideoVerdict:
            explanation = report_video(detector, path, self.report, options, progress)
            if keep is not None:
                keep(explanation)
            return explanation.verdict

        return judge


def judge_in_workers(
    judging: Callable[[], Judge],
    videos: Sequence[Path],
    engine: Engine,
    name_of: Callable[[Path], str] = os.fspath,
) -> Iterator[Judged]:
    """Each video as it is done; one that its process died on says so, and costs the others nothing."""
    for outcome in engine(judging, videos):
        path = videos[outcome.task]
        if outcome.failure is None:
            yield Judged(outcome.value)
            continue
        warning = f"could not be judged: {outcome.failure}; --resume tries it again"
        yield Judged(VideoVerdict(name_of(path), Status.UNREADABLE, warnings=(warning,)), failed=True)


def _in_words(error: Exception) -> str:
    detail = " ".join(str(error).split())
    if isinstance(error, DeepfakeError):
        return detail
    kind = type(error).__name__
    return f"internal error, please report it ({kind}: {detail}); --debug shows the traceback"
