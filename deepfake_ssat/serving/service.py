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
from deepfake_ssat.serving.maps import find_clip
from deepfake_ssat.serving.storage import RESULT, VIDEO, JobFolders
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
            described = self.settings.describe()
        except Exception as error:
            self.model.set_exception(error)
            if not isinstance(error, DeepfakeError):
                raise
        else:
            self.workers.start()
            # Last: once it is known, threads that do not live are dead ones.
            self.model.set_result(described)

    @property
    def status(self) -> Literal["starting", "ok", "failing"]:
        """Whether jobs are worked on: an answering service alone would not tell."""
        if not self.model.done():
            return "starting"
        return "ok" if self.model.exception() is None and self.workers.alive else "failing"

    async def submit(self, chunks: AsyncIterator[bytes], name: str, announced_bytes: int = 0) -> Job:
        """Receives, checks and queues one video; raises RefusedUploadError and leaves nothing otherwise."""
        limits = self.settings.limits
        return await self._queue(
            chunks, name, announced_bytes, lambda folder, _: check(folder / VIDEO, limits)
        )

    async def _queue(
        self,
        chunks: AsyncIterator[bytes],
        name: str,
        announced_bytes: int,
        prepare: Callable[[Path, str], None],
    ) -> Job:
        """Receives a file, lets ``prepare`` see its folder and SHA-256 or refuse it, and queues it."""
        limits = self.settings.limits
        self._require_room(announced_bytes)
        self.uploads += 1
        job_id = new_job_id()
        accepted = False
        try:
            folder = self.folders.make(job_id)
            size, sha256 = await receive(chunks, folder / VIDEO, limits)
            await asyncio.to_thread(prepare, folder, sha256)
            job = await asyncio.to_thread(self.store.add, job_id, shown_name(name), size, sha256)
            accepted = True
            return job
        finally:
            self.uploads -= 1
            if not accepted:
                self.folders.remove(job_id)

    async def submit_for_maps(
        self,
        chunks: AsyncIterator[bytes],
        judged: Job,
        track_id: int,
        start_seconds: float,
        announced_bytes: int,
    ) -> Job:
        """Receives a judged file again and queues a job that draws the heat maps of one of its clips."""
        wanted = None
        if judged.state is JobState.DONE and (self.folders.of(judged.id) / RESULT).is_file():
            wanted = find_clip(self.folders.of(judged.id), track_id, start_seconds)
        if wanted is None:
            reason = f"no clip of face {track_id} that begins at {start_seconds:g} s is in this job's result"
            raise RefusedUploadError(404, reason)

        def prepare(folder: Path, sha256: str) -> None:
            if sha256 != judged.sha256:
                raise RefusedUploadError(
                    422, f"this is not the file that was judged: send {judged.name} again"
                )
            wanted.write(folder)

        return await self._queue(chunks, judged.name, announced_bytes, prepare)

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
