"""The queue of jobs in an SQLite file: what was accepted is remembered through any crash."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    finished REAL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created);
"""


class JobState(str, Enum):
    """Where a job stands; done means that a result exists, whatever its verdict."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """One submitted video."""

    id: str
    """32 hexadecimal digits; also the name of the job's private folder."""
    name: str
    """The uploaded file's name, for display only: it never becomes a path."""
    size: int
    """Bytes."""
    sha256: str
    state: JobState
    progress: float
    """Part of the analysis that is done, in [0, 1]."""
    reason: str
    """Why a job failed."""
    attempts: int
    created: float
    """Seconds since 1970."""
    started: float | None
    """When its last attempt began."""
    finished: float | None


def new_job_id() -> str:
    """A name that cannot be guessed."""
    return uuid.uuid4().hex


class JobStore:
    """Jobs by id; safe to use from several threads, each call its own transaction."""

    def __init__(self, path: Path):
        self.path = path
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA)
            # A service of version 0.1 did not note when a job was begun.
            if "started" not in {row["name"] for row in connection.execute("PRAGMA table_info(jobs)")}:
                connection.execute("ALTER TABLE jobs ADD COLUMN started REAL")

    def add(self, job_id: str, name: str, size: int, sha256: str) -> Job:
        """Puts a job at the end of the queue; on disk before this returns."""
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO jobs (id, name, size, sha256, state, created) VALUES (?, ?, ?, ?, ?, ?)",
                (job_id, name, size, sha256, JobState.QUEUED.value, time.time()),
            )
        return self.require(job_id)

    def claim_next(self) -> Job | None:
        """Marks the job that waited longest as running and returns it; None where none waits.

        Those that were interrupted come after the others: one that brings the service down keeps nobody from
        his result, and one that was there when others did is not the next to be there.
        """
        with self._connection() as connection:
            row = connection.execute(
                "UPDATE jobs SET state = ?, progress = 0, attempts = attempts + 1, started = ? WHERE id = "
                "(SELECT id FROM jobs WHERE state = ? ORDER BY attempts, created, rowid LIMIT 1) RETURNING *",
                (JobState.RUNNING.value, time.time(), JobState.QUEUED.value),
            ).fetchone()
        return _job(row) if row else None

    def set_progress(self, job_id: str, progress: float) -> None:
        """Of a running job, in [0, 1]."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE jobs SET progress = ? WHERE id = ? AND state = ?",
                (progress, job_id, JobState.RUNNING.value),
            )

    def finish(self, job_id: str, failure: str | None = None) -> None:
        """Ends a job: done, or failed with the reason."""
        state, progress = (JobState.DONE, 1.0) if failure is None else (JobState.FAILED, None)
        with self._connection() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, progress = COALESCE(?, progress), reason = ?, finished = ? "
                "WHERE id = ?",
                (state.value, progress, failure or "", time.time(), job_id),
            )

    def put_back(self, job_id: str) -> None:
        """A running job waits as if it had not been begun: the service was asked to stop."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, progress = 0, attempts = attempts - 1 WHERE id = ? AND state = ?",
                (JobState.QUEUED.value, job_id, JobState.RUNNING.value),
            )

    def recover(self, max_attempts: int = 3) -> int:
        """After a crash: running jobs wait again, or fail at the last attempt; how many wait again."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, reason = ?, finished = ? WHERE state = ? AND attempts >= ?",
                (
                    JobState.FAILED.value,
                    f"the service stopped {max_attempts} times during this analysis",
                    time.time(),
                    JobState.RUNNING.value,
                    max_attempts,
                ),
            )
            changed = connection.execute(
                "UPDATE jobs SET state = ?, progress = 0 WHERE state = ?",
                (JobState.QUEUED.value, JobState.RUNNING.value),
            )
            return changed.rowcount

    def find(self, job_id: str) -> Job | None:
        """The job, or None where there is none of that id."""
        with self._connection() as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return _job(row) if row else None

    def require(self, job_id: str) -> Job:
        """The job; KeyError where there is none."""
        job = self.find(job_id)
        if job is None:
            raise KeyError(job_id)
        return job

    def count(self, state: JobState) -> int:
        """Jobs in a state."""
        with self._connection() as connection:
            return connection.execute("SELECT COUNT(*) FROM jobs WHERE state = ?", (state.value,)).fetchone()[
                0
            ]

    def ahead_of(self, job: Job) -> int:
        """Queued jobs that will be taken before this one."""
        with self._connection() as connection:
            return connection.execute(
                "SELECT COUNT(*) FROM jobs WHERE state = ? AND (attempts, created) < (?, ?)",
                (JobState.QUEUED.value, job.attempts, job.created),
            ).fetchone()[0]

    def remove(self, job_id: str) -> None:
        """Forgets a job."""
        with self._connection() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def finished_before(self, moment: float) -> list[str]:
        """Ids of the jobs that ended before a moment (seconds since 1970)."""
        with self._connection() as connection:
            rows = connection.execute("SELECT id FROM jobs WHERE finished < ?", (moment,)).fetchall()
        return [row["id"] for row in rows]

    def ids(self) -> set[str]:
        """Of all jobs that are remembered."""
        with self._connection() as connection:
            return {row["id"] for row in connection.execute("SELECT id FROM jobs")}

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values["state"] = JobState(values["state"])
    return Job(**values)
