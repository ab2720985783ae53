"""The threads that take jobs from the queue, analyse each in a child process, and clear up old results."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.serving.jobs import Job, JobStore
from deepfake_ssat.serving.sandbox import NO_ROOM, ChildLimits, run_child
from deepfake_ssat.serving.storage import PROGRESS, RESULT, VIDEO, JobFolders

IDLE_SECONDS = 0.5
CLEANING_SECONDS = 60.0
ANALYSE = "deepfake_ssat.serving.analyse"
LOGGER = logging.getLogger(__name__)
Result = TypeVar("Result")


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

    def recover(self) -> None:
        """Puts interrupted jobs back into the queue and removes what no job owns; before any upload."""
        self._store.recover()
        self._folders.remove_strangers(self._store.ids())

    def start(self) -> None:
        """Begins with the queue."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends running analyses; their jobs wait again at the next start."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """Whether every thread is there to do its part."""
        return all(thread.is_alive() for thread in self._threads)

    def clean(self, now: float | None = None) -> None:
        """Deletes the results of jobs that ended longer ago than they are kept."""
        moment = (time.time() if now is None else now) - self._limits.keep_hours * 3600
        for job_id in self._store.finished_before(moment):
            self._store.remove(job_id)
            self._folders.remove(job_id)

    def _work(self) -> None:
        while not self._stopping.is_set():
            job = _attempt(self._store.claim_next)
            if job is None:
                self._stopping.wait(IDLE_SECONDS)
            else:
                self._do(job)

    def _do(self, job: Job) -> None:
        """One job to its end; whatever goes wrong is this job's failure, and the next one has its turn."""
        try:
            failure = self._analyse(job)
        except Exception as error:
            LOGGER.exception("job %s", job.id)
            failure = f"the service failed at it ({type(error).__name__}); send the video again"
        if not self._is_wanted(job):
            self._folders.remove(job.id)
            return
        if self._stopping.is_set() and failure:
            _attempt(lambda: self._store.put_back(job.id))
            return
        # While the disk is full the end of a job cannot be noted: it is not forgotten over the next one.
        while not _attempt(lambda: self._finish(job, failure)) and not self._stopping.wait(IDLE_SECONDS):
            pass

    def _finish(self, job: Job, failure: str | None) -> bool:
        (self._folders.of(job.id) / VIDEO).unlink(missing_ok=True)
        self._store.finish(job.id, failure)
        return True

    def _analyse(self, job: Job) -> str | None:
        """Why it failed, or None."""
        folder = self._folders.of(job.id)
        limits = ChildLimits(self._limits.job_seconds, int(self._limits.job_memory_megabytes * MEGABYTE))
        outcome = run_child(
            self._module,
            [str(folder), job.name, *self._options],
            limits,
            folder,
            on_poll=lambda: self._note_progress(job, folder),
            stop=lambda: self._stopping.is_set() or not self._is_wanted(job),
        )
        if outcome.code == NO_ROOM:
            return "the service has no room on its disk for the result; send the video again later"
        if outcome.failure is None and not (folder / RESULT).is_file():
            return "the analysis ended without a result"
        return outcome.failure

    def _is_wanted(self, job: Job) -> bool:
        """Whether nobody cancelled it meanwhile; a database that does not answer cancels nothing."""
        try:
            return self._store.find(job.id) is not None
        except sqlite3.Error:
            return True

    def _note_progress(self, job: Job, folder: Path) -> None:
        # A courtesy: a full disk or a busy database must not end the analysis.
        with contextlib.suppress(sqlite3.Error):
            self._store.set_progress(job.id, read_progress(folder))

    def _clean_regularly(self) -> None:
        while not self._stopping.is_set():
            _attempt(self.clean)
            self._stopping.wait(CLEANING_SECONDS)


def _attempt(step: Callable[[], Result]) -> Result | None:
    """What a step gives; None where it failed, which is logged: its thread must live on."""
    try:
        return step()
    except Exception:
        LOGGER.exception("the service goes on after an error")
        return None


def read_progress(folder: Path) -> float:
    """What the child last wrote, in [0, 1]; 0 before it wrote anything."""
    try:
        return min(max(float((folder / PROGRESS).read_text()), 0.0), 1.0)
    except (OSError, ValueError):
        return 0.0
