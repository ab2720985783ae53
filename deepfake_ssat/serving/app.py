"""The web application: a page for people and a REST API for programs over one queue.

A video is sent as the raw body of a POST, so that it is never larger on disk than the limit.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.serving.jobs import Job, JobState, JobStore, new_job_id
from deepfake_ssat.serving.storage import REPORT, RESULT, VIDEO, JobFolders
from deepfake_ssat.serving.uploads import RefusedUploadError, check, receive, shown_name
from deepfake_ssat.serving.worker import ANALYSE, Workers
from deepfake_ssat.version import __version__

STATIC = Path(__file__).parent / "static"
MODEL_SECONDS = 60
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
LOGGER = logging.getLogger(__name__)
KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False)
PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"


class JobAnswer(BaseModel):
    """One job, as the API tells it."""

    id: str
    name: str
    size_bytes: int
    sha256: str
    state: JobState
    progress: float
    """In [0, 1]."""
    jobs_ahead: int
    reason: str | None
    """Why it failed."""
    result: str | None
    """Where the JSON verdict is, once done."""
    report: str | None
    """Where the HTML report is, once done."""


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: str


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

    def answer(self, job: Job) -> JobAnswer:
        """A job with the addresses of what it gave."""
        address = f"/api/v1/jobs/{job.id}"
        done = job.state is JobState.DONE
        return JobAnswer(
            id=job.id,
            name=job.name,
            size_bytes=job.size,
            sha256=job.sha256,
            state=job.state,
            progress=job.progress,
            jobs_ahead=self.store.ahead_of(job) if job.state is JobState.QUEUED else 0,
            reason=job.reason or None,
            result=f"{address}/result" if done else None,
            report=f"{address}/report" if done and (self.folders.of(job.id) / REPORT).is_file() else None,
        )

    async def submit(self, request: Request, name: str) -> Job:
        """Receives, checks and queues one video; raises RefusedUploadError and leaves nothing otherwise."""
        limits = self.settings.limits
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limits.upload_megabytes * MEGABYTE:
            raise RefusedUploadError(413, f"the file is larger than {limits.upload_megabytes:g} MB")
        if self.store.count(JobState.QUEUED) >= limits.queue_length:
            raise RefusedUploadError(429, f"{limits.queue_length} videos wait already: try again later")
        if self.uploads >= limits.concurrent_uploads:
            raise RefusedUploadError(429, "too many uploads at the same time: try again in a moment")
        self.uploads += 1
        job_id = new_job_id()
        accepted = False
        try:
            folder = self.folders.make(job_id)
            size, sha256 = await receive(request.stream(), folder / VIDEO, limits)
            await asyncio.to_thread(check, folder / VIDEO, limits)
            job = await asyncio.to_thread(self.store.add, job_id, shown_name(name), size, sha256)
            accepted = True
            return job
        finally:
            self.uploads -= 1
            if not accepted:
                self.folders.remove(job_id)


def _service(request: Request) -> Service:
    return request.app.state.service


def _require_key(request: Request, given: Annotated[str | None, Depends(KEY_HEADER)]) -> None:
    expected = _service(request).settings.api_key
    if expected is not None and not hmac.compare_digest((given or "").encode(), expected.encode()):
        raise RefusedUploadError(401, "give the API key in the header X-API-Key")


def _job(service: Annotated[Service, Depends(_service)], job_id: str) -> Job:
    job = service.store.find(job_id)
    if job is None:
        raise RefusedUploadError(404, "no such job: it never was, or its result has expired")
    return job


FoundService = Annotated[Service, Depends(_service)]
FoundJob = Annotated[Job, Depends(_job)]
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorAnswer} for code in (400, 401, 404, 408, 409, 413, 415, 422, 429, 503, 507)
}
api = APIRouter(prefix="/api/v1", dependencies=[Depends(_require_key)], responses=REFUSALS)


@api.post(
    "/jobs",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def submit_video(
    request: Request, service: FoundService, name: Annotated[str, Query(max_length=1000)] = "video"
) -> JobAnswer:
    """Send a video as the raw body; ``name`` is shown to people and never used as a path."""
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/octet-stream" and not content_type.startswith("video/"):
        raise RefusedUploadError(415, "send the video's bytes as application/octet-stream or video/*")
    return service.answer(await service.submit(request, name))


@api.get("/jobs")
def job_states(
    service: FoundService, job_ids: Annotated[list[str] | None, Query(alias="id", max_length=200)] = None
) -> list[JobAnswer]:
    """Those of the named jobs that are known: nobody is told of jobs whose ids they were not given."""
    found = (service.store.find(job_id) for job_id in job_ids or ())
    return [service.answer(job) for job in found if job is not None]


@api.get("/jobs/{job_id}")
def job_state(service: FoundService, job: FoundJob) -> JobAnswer:
    """Where a job stands; ask again until its state is done or failed."""
    return service.answer(job)


@api.get("/jobs/{job_id}/result")
def job_result(service: FoundService, job: FoundJob) -> Response:
    """The verdict as JSON, as ``detect --json`` writes it."""
    return _file(service, job, RESULT, "application/json")


@api.get("/jobs/{job_id}/report")
def job_report(service: FoundService, job: FoundJob) -> Response:
    """The report for people: one HTML page that needs nothing else."""
    response = _file(service, job, REPORT, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


@api.delete("/jobs/{job_id}", status_code=204)
def delete_job(service: FoundService, job: FoundJob) -> None:
    """Forgets a job that has ended, with its result."""
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        raise RefusedUploadError(409, f"the job is {job.state.value}: it can be deleted once it has ended")
    service.store.remove(job.id)
    service.folders.remove(job.id)


@api.get("/model")
def model_information(service: FoundService) -> dict[str, Any]:
    """The checkpoint that judges: hash, contract, threshold, what was measured; waits until it is checked."""
    return service.model.result(timeout=MODEL_SECONDS)


@api.get("/limits")
def service_limits(service: FoundService) -> ServiceLimits:
    """What one upload and one job may take."""
    return service.settings.limits


def _file(service: Service, job: Job, name: str, media_type: str) -> FileResponse:
    path = service.folders.of(job.id) / name
    if job.state is not JobState.DONE or not path.is_file():
        raise RefusedUploadError(409, f"the job is {job.state.value}: there is nothing to fetch")
    return FileResponse(path, media_type=media_type)


def create_app(settings: ServiceSettings) -> FastAPI:
    """The application; its workers run from start-up to shut-down."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = Service(settings)
        app.state.service.start()
        yield
        await asyncio.to_thread(app.state.service.workers.stop)

    app = FastAPI(
        title="deepfake-ssat", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts))
    app.include_router(api)

    @app.exception_handler(RefusedUploadError)
    async def refuse(_: Request, refusal: RefusedUploadError) -> JSONResponse:
        headers = {"Retry-After": "30"} if refusal.status == 429 else None
        return JSONResponse({"error": refusal.reason}, refusal.status, headers)

    app.add_exception_handler(OSError, _out_of_order)
    app.add_exception_handler(sqlite3.Error, _out_of_order)

    @app.get("/health", include_in_schema=True, responses={503: {"description": "No job is worked on."}})
    def health(service: FoundService, response: Response) -> dict[str, Any]:
        """Whether jobs are accepted and worked on, and how long the queue is."""
        status = service.status
        response.status_code = 503 if status == "failing" else 200
        return {
            "status": status,
            "version": __version__,
            "queued": service.store.count(JobState.QUEUED),
            "running": service.store.count(JobState.RUNNING),
        }

    for address, name in (
        ("/", "page.html"),
        ("/page.js", "page.js"),
        ("/page.css", "page.css"),
        ("/icon.svg", "icon.svg"),
    ):
        app.add_api_route(address, _static(name), include_in_schema=False)

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    return app


async def _out_of_order(request: Request, error: Exception) -> JSONResponse:
    """What the disk or the database refused; nothing that was accepted is lost by it."""
    LOGGER.error("%s: %s", type(error).__name__, error)
    # SQLite calls a full disk an I/O error where it has no room for its index of the log.
    room = shutil.disk_usage(_service(request).folders.root).free
    if getattr(error, "errno", None) in NO_SPACE or "disk is full" in str(error) or room < MEGABYTE:
        return JSONResponse({"error": "the service's disk is full: nothing was taken, try again later"}, 507)
    answer = {"error": "the service cannot use its folder at the moment: try again later"}
    return JSONResponse(answer, 503, {"Retry-After": "30"})


def _static(name: str) -> Any:
    def serve() -> FileResponse:
        return FileResponse(STATIC / name)

    return serve
