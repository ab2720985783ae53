"""Stands in for the judging of ``detect``, in worker processes too: what a file says decides its verdict."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.commands.judging import Judging
from deepfake_ssat.records import ClipScore, FaceVerdict, Status, Verdict, VideoVerdict

SECONDS = 0.02


@dataclass(frozen=True)
class ScriptedJudging(Judging):
    """A file that says ``kill`` kills the process, ``bug`` raises; a number is its probability."""

    def __call__(self):
        """The judge of a worker."""
        return self.judge_with(None)  # pyright: ignore[reportArgumentType]

    def _judge(self, detector, progress, keep):
        """Needs none of these."""
        return judge


def judge(path: Path) -> VideoVerdict:
    """Notes each call in ``<file>.judged``."""
    time.sleep(SECONDS)
    said = path.read_text()
    with path.with_suffix(".judged").open("a") as notes:
        notes.write("x")
    if said == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "bug":
        raise KeyError("a bug")
    if said == "stop":
        raise KeyboardInterrupt
    probability = float(said)
    verdict = Verdict.FAKE if probability > 0.5 else Verdict.REAL
    face = FaceVerdict(0, 0.0, 1.0, (1.0, 2.0, 3.0, 4.0), probability, 1)
    clips = (ClipScore(0, 0.0, 1.0, probability),)
    return VideoVerdict(os.fspath(path), Status.SCORED, probability, verdict, (face,), clips)
