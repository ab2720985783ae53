"""``detect --jsonl``: a line for each video as soon as it is judged, and what ``--resume`` takes from them.

A line is an element of the JSON document's ``videos``, with ``fingerprint`` (size and time of change) and
``judged_by`` (what else the verdict rests on), so that lines can be told apart and joined.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from deepfake_ssat.errors import OutputError
from deepfake_ssat.outputs import in_place, is_printed, target_of, whole_file, writing
from deepfake_ssat.records import Status, VideoVerdict
from deepfake_ssat.reporting.detection_report import verdict_from_record, video_record
from deepfake_ssat.text import parse_json

FileState = Mapping[str, int] | None


def file_state(path: Path) -> FileState:
    """Size and time of change; None of what is not there, or may not be read."""
    if not os.access(path, os.R_OK):
        return None
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return {"size": facts.st_size, "modified": facts.st_mtime_ns}


class VerdictLog:
    """The lines of one run; a context manager, which keeps other runs away from the file meanwhile."""

    def __init__(
        self, file: Path, videos: Mapping[str, Path], judged_by: Mapping[str, Any], resume: bool
    ) -> None:
        self.known: dict[str, VideoVerdict] = {}
        """By name, what an earlier run judged in the same way and need not be judged again."""
        self._file = file
        self._states = {name: file_state(path) for name, path in videos.items()}
        self._judged_by = json.loads(json.dumps(judged_by))  # As it will be read again.
        self._resume = resume
        self._open = ExitStack()
        self._lines: BinaryIO

    def __enter__(self) -> VerdictLog:
        """Raises OutputError where the file belongs to others, or holds what was not asked for."""
        with self._open:
            if is_printed(self._file):
                self._lines = sys.stdout.buffer
            else:
                with writing(self._file):
                    if not in_place(self._file):
                        self._lock()
                        self._take_up()
                    self._lines = self._open.enter_context(target_of(self._file).open("ab", buffering=0))
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, verdict: VideoVerdict, failed: bool = False) -> None:
        """One whole line, handed to the system at once; ``failed`` ones are judged again by ``--resume``.

        So is a file that could not be read because it went: its disk may come back with it as it was.
        """
        state = self._states[verdict.path]
        line = {**video_record(verdict), "fingerprint": state, "judged_by": self._judged_by}
        if failed or (verdict.status is Status.UNREADABLE and file_state(Path(verdict.path)) != state):
            line["failed"] = True
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        with writing(self._file):
            while data:  # A full disk takes a part before it refuses the rest.
                data = data[self._lines.write(data) :]
            self._lines.flush()

    def _lock(self) -> None:
        target = target_of(self._file)
        try:
            self._open.enter_context(FileLock(target.with_name(f".{target.name}.lock"), timeout=0))
        except Timeout as error:
            raise OutputError(
                f"{self._file}: another detect is writing there; wait for it, or give another file"
            ) from error

    def _take_up(self) -> None:
        """Finds what is known, and leaves in the file the lines that stand; a half-written one is cut."""
        if not self._file.exists() or self._file.stat().st_size == 0:
            return
        if not self._resume:
            raise OutputError(
                f"{self._file} holds verdicts already; --resume goes on with them, or give another file"
            )
        with whole_file(self._file) as unfinished, unfinished.open("wb") as kept:
            for line, record, verdict in self._records():
                path = record["path"]
                if path in self._states:
                    if (
                        record.get("failed")
                        or record["fingerprint"] != self._states[path]
                        or path in self.known
                    ):
                        continue
                    self.known[path] = verdict
                kept.write(line)

    def _records(self) -> Iterator[tuple[bytes, dict[str, Any], VideoVerdict]]:
        """Each whole line with what it says; refuses those of another checkpoint, version or settings."""
        with self._file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    record = parse_json(line)
                    before, _ = record["judged_by"], (record["path"], record["fingerprint"])
                    verdict = verdict_from_record(record)
                except (ValueError, KeyError, TypeError) as error:
                    raise OutputError(
                        f"{self._file}: line {number} is no verdict; take it out, or give another file"
                    ) from error
                self._check_same(before)
                yield line, record, verdict

    def _check_same(self, before: Mapping[str, Any]) -> None:
        for name, now in self._judged_by.items():
            if before.get(name) != now:
                raise OutputError(
                    f"{self._file}: was judged with {name} {before.get(name)}, now it is {now}; give another "
                    "file, or judge as it was begun"
                )
