"""The private folder of the service: one sub-folder a job, every file name our own.

FOLDER/jobs.sqlite, FOLDER/jobs/<id>/{video, progress, result.json, result.csv, timeline.json, report.html},
or of a job for heat maps {video, wanted.json, maps.png}
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepfake_ssat.errors import ConfigError, OutputError

VIDEO, PROGRESS = "video", "progress"
RESULT, CSV, TIMELINE, REPORT = "result.json", "result.csv", "timeline.json", "report.html"
WANTED, MAPS = "wanted.json", "maps.png"


class JobFolders:
    """Makes, finds and removes the folders of jobs."""

    def __init__(self, root: Path):
        self.root = root
        self._jobs = root / "jobs"
        try:
            for folder in (root, self._jobs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{root} cannot be made ({error.strerror}); give another --folder") from error

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "jobs.sqlite"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For one service at a time: a second would take the first one's jobs and uploads for leftovers."""
        lock = FileLock(self.root / ".serve.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise ConfigError(
                f"{self.root}: another service works in this folder; stop it, or give another --folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def make(self, job_id: str) -> Path:
        """A new, empty folder that only this user can read."""
        folder = self.of(job_id)
        folder.mkdir(mode=0o700)
        return folder

    def of(self, job_id: str) -> Path:
        """The folder of a job, by the id that we gave it."""
        return self._jobs / job_id

    def remove(self, job_id: str) -> None:
        """Deletes everything of one job."""
        shutil.rmtree(self.of(job_id), ignore_errors=True)

    def remove_strangers(self, known_ids: set[str]) -> int:
        """Deletes folders that belong to no job, such as uploads cut off by a crash; how many."""
        strangers = [folder.name for folder in self._jobs.iterdir() if folder.name not in known_ids]
        for name in strangers:
            self.remove(name)
        return len(strangers)
