"""One running service: its queue, folders and workers, and the way of an upload into them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.serving.jobs import Job, JobState, JobStore, new_job_id
from deepfake_ssat.serving.storage import VIDEO, JobFolders
from deepfake_ssat.serving.uploads import RefusedUploadError, check, receive, shown_name
from deepfake_ssat.serving.worker import ANALYSE, Workers


@dataclass(frozen=True)
class ServiceSettings:
    """What one service is started with."""

    folder: Path
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    describe: Callable[[], dict[str, Any]] = dict
    """Checks the checkpoint and gives what ``/api/v1/model`` tells of it; no job runs before."""
    analysis_options: Sequence[str] = ()
    """Handed to the analysing child, such as the checkpoint's path."""
    analysis_module: str = ANALYSE
    api_key: str | None = None
    hosts: Sequence[str] = ("127.0.0.1", "localhost", "[::1]")
    """Host headers that are answered: a page elsewhere cannot rebind its name to this machine."""


class Service:
    """The queue, the folders and the workers of one running application."""

    def __init__(self, settings: ServiceSettings):
        self.settings = settings
        self.folders = JobFolders(settings.folder)
        self.store = JobStore(self.folders.database)
        self.workers = Workers(
            self.store, self.folders, settings.limits, settings.analysis_options, settings.analysis_module
        )
        self.uploads = 0
        self.model: Future[dict[str, Any]] = Future()

    def start(self) -> None:
        """Tidies up after an earlier run; jobs begin once the checkpoint is known to be good."""
        self.workers.recover()
        threading.Thread(target=self._begin, name="start", daemon=True).start()

    def _begin(self) -> None:
        try:
            self.model.set_result(self.settings.describe())
        except Exception as error:
            self.model.set_exception(error)
            if not isinstance(error, DeepfakeError):
                raise
        else:
            self.workers.start()

    @property
    def status(self) -> Literal["starting", "ok", "failing"]:
        """Whether jobs are worked on: an answering service alone would not tell."""
        if not self.model.done():
            return "starting"
        return "ok" if self.model.exception() is None and self.workers.alive else "failing"

    async def submit(self, chunks: AsyncIterator[bytes], name: str, announced_bytes: int = 0) -> Job:
        """Receives, checks and queues one video; raises RefusedUploadError and leaves nothing otherwise."""
        limits = self.settings.limits
        self._require_room(announced_bytes)
        self.uploads += 1
        job_id = new_job_id()
        accepted = False
        try:
            folder = self.folders.make(job_id)
            size, sha256 = await receive(chunks, folder / VIDEO, limits)
            await asyncio.to_thread(check, folder / VIDEO, limits)
            job = await asyncio.to_thread(self.store.add, job_id, shown_name(name), size, sha256)
            accepted = True
            return job
        finally:
            self.uploads -= 1
            if not accepted:
                self.folders.remove(job_id)

    def forget(self, job: Job) -> None:
        """A job with its video and its results; the analysis of a running one is ended by its worker."""
        self.store.remove(job.id)
        if job.state is not JobState.RUNNING:
            self.folders.remove(job.id)

    def _require_room(self, announced_bytes: int) -> None:
        limits = self.settings.limits
        if announced_bytes > limits.upload_megabytes * MEGABYTE:
            raise RefusedUploadError(413, f"the file is larger than {limits.upload_megabytes:g} MB")
        if self.store.count(JobState.QUEUED) >= limits.queue_length:
            raise RefusedUploadError(429, f"{limits.queue_length} videos wait already: try again later")
        if self.uploads >= limits.concurrent_uploads:
            raise RefusedUploadError(429, "too many uploads at the same time: try again in a moment")
