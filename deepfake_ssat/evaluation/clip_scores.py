"""The file of clip scores: written as they come, so that a killed evaluation goes on where it stopped."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.stored_clips import StoredClip

CLIP_SCORES_FILE = "clip_scores.csv"
COLUMNS = (
    "run",
    "corpus",
    "video_id",
    "clip_file",
    "track_id",
    "first_frame",
    "start_seconds",
    "end_seconds",
    "probability",
)


class ClipScoreFile:
    """Scores of one run: one checkpoint on one manifest, in one way.

    Opening cuts off a line that a kill left unfinished, and raises ConfigError for scores of another run.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._run = run
        self._scores: dict[tuple[str, int], float] = {}
        complete = self._read(path) if path.is_file() else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(complete)
        if not complete:
            self._write([COLUMNS])

    def __len__(self) -> int:
        return len(self._scores)

    def __contains__(self, clip: StoredClip) -> bool:
        return _key(clip) in self._scores

    def __getitem__(self, clip: StoredClip) -> float:
        """The clip's probability of fake."""
        return self._scores[_key(clip)]

    def append(self, clips: Sequence[StoredClip], probabilities: Sequence[float]) -> None:
        """Adds scores, which a kill after this call does not lose."""
        texts = [f"{probability:.9g}" for probability in probabilities]
        self._write([self._values(*pair) for pair in zip(clips, texts, strict=True)])
        for clip, text in zip(clips, texts, strict=True):
            # What a later run will read.
            self._scores[_key(clip)] = float(text)

    def close(self) -> None:
        """Brings the scores to the disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> ClipScoreFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _values(self, clip: StoredClip, probability: str) -> tuple[object, ...]:
        row, place = clip.row, clip.scored(float(probability))
        return (
            self._run,
            row.corpus,
            row.video_id,
            row.clip_file,
            row.track_id,
            clip.first_frame,
            place.start_seconds,
            place.end_seconds,
            probability,
        )

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())
        self._file.flush()

    def _read(self, path: Path) -> int:
        """Takes over the scores in complete lines; returns the bytes that these lines fill."""
        data = path.read_bytes()
        complete = data.rfind(b"\n") + 1
        try:
            lines = list(csv.DictReader(io.StringIO(data[:complete].decode(), newline=""), strict=True))
            for line in lines:
                if line["run"] != self._run:
                    raise ConfigError(
                        f"{path} holds scores of another checkpoint, manifest or precision (run "
                        f"{line['run']}, this is {self._run}); give another --out, or delete the file"
                    )
                self._scores[line["clip_file"], int(line["first_frame"])] = float(line["probability"])
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise ConfigError(f"{path} is damaged ({error}); delete it, or give another --out") from error
        return complete


def _key(clip: StoredClip) -> tuple[str, int]:
    return clip.row.clip_file, clip.first_frame
