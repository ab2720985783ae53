"""The web application: a page for people and a REST API for programs over one queue.

A video is sent as the raw body of a POST, so that it is never larger on disk than the limit.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.serving.jobs import Job, JobState, JobStore, new_job_id
from deepfake_ssat.serving.storage import REPORT, RESULT, VIDEO, JobFolders
from deepfake_ssat.serving.uploads import RefusedUploadError, check, receive, shown_name
from deepfake_ssat.serving.worker import ANALYSE, Workers
from deepfake_ssat.version import __version__

STATIC = Path(__file__).parent / "static"
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
    model: dict[str, Any] = field(default_factory=dict)
    """What ``/api/v1/model`` tells of the checkpoint."""
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
        folder = self.folders.make(job_id)
        accepted = False
        try:
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
    code: {"model": ErrorAnswer} for code in (400, 401, 404, 408, 409, 413, 415, 422, 429)
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
    """The checkpoint that judges: hash, contract, threshold, what was measured."""
    return service.settings.model


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
        app.state.service.workers.start()
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

    @app.get("/health", include_in_schema=True)
    def health(service: FoundService) -> dict[str, Any]:
        """Whether the service answers, and how long its queue is."""
        return {
            "status": "ok",
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


def _static(name: str) -> Any:
    def serve() -> FileResponse:
        return FileResponse(STATIC / name)

    return serve
