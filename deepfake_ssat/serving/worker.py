"""The threads that take jobs from the queue, analyse each in a child process, and clear up old results."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.serving.jobs import Job, JobStore
from deepfake_ssat.serving.sandbox import ChildLimits, run_child
from deepfake_ssat.serving.storage import PROGRESS, RESULT, VIDEO, JobFolders

IDLE_SECONDS = 0.5
CLEANING_SECONDS = 60.0
ANALYSE = "deepfake_ssat.serving.analyse"


class Workers:
    """As many analysing threads as the limits allow, and one that deletes what has expired."""

    def __init__(
        self,
        store: JobStore,
        folders: JobFolders,
        limits: ServiceLimits,
        options: Sequence[str] = (),
        module: str = ANALYSE,
    ):
        self._store, self._folders, self._limits = store, folders, limits
        self._options, self._module = list(options), module
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"analysis-{number}", daemon=True)
            for number in range(limits.concurrent_jobs)
        ]
        self._threads.append(threading.Thread(target=self._clean_regularly, name="cleaner", daemon=True))

    def start(self) -> None:
        """Puts interrupted jobs back into the queue, removes what no job owns, and begins."""
        self._store.recover()
        self._folders.remove_strangers(self._store.ids())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends running analyses; their jobs wait again at the next start."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def clean(self, now: float | None = None) -> None:
        """Deletes the results of jobs that ended longer ago than they are kept."""
        moment = (time.time() if now is None else now) - self._limits.keep_hours * 3600
        for job_id in self._store.finished_before(moment):
            self._store.remove(job_id)
            self._folders.remove(job_id)

    def _work(self) -> None:
        while not self._stopping.is_set():
            job = self._store.claim_next()
            if job is None:
                self._stopping.wait(IDLE_SECONDS)
            else:
                self._analyse(job)

    def _analyse(self, job: Job) -> None:
        folder = self._folders.of(job.id)
        limits = ChildLimits(self._limits.job_seconds, int(self._limits.job_memory_megabytes * MEGABYTE))
        outcome = run_child(
            self._module,
            [str(folder), job.name, *self._options],
            limits,
            folder,
            on_poll=lambda: self._store.set_progress(job.id, read_progress(folder)),
            stop=self._stopping.is_set,
        )
        if self._stopping.is_set() and outcome.failure:
            return  # Still "running" in the database: the next start puts it back into the queue.
        failure = outcome.failure
        if failure is None and not (folder / RESULT).is_file():
            failure = "the analysis ended without a result"
        (folder / VIDEO).unlink(missing_ok=True)
        self._store.finish(job.id, failure)

    def _clean_regularly(self) -> None:
        while not self._stopping.is_set():
            self.clean()
            self._stopping.wait(CLEANING_SECONDS)


def read_progress(folder: Path) -> float:
    """What the child last wrote, in [0, 1]; 0 before it wrote anything."""
    try:
        return min(max(float((folder / PROGRESS).read_text()), 0.0), 1.0)
    except (OSError, ValueError):
        return 0.0
