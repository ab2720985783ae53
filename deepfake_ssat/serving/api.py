"""The REST API below /api/v1: send a video or picture, ask how far it is, fetch what was found, forget it."""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.serving.forms import first_file
from deepfake_ssat.serving.jobs import Job, JobState
from deepfake_ssat.serving.service import Service
from deepfake_ssat.serving.storage import CSV, MAPS, REPORT, RESULT, TIMELINE
from deepfake_ssat.serving.uploads import RefusedUploadError

MODEL_SECONDS = 60
LEAST_PROGRESS = 0.05
"""Before this much of a job is done nobody knows how long the rest will take."""
KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
FORM = "multipart/form-data"
BINARY = {"type": "string", "format": "binary"}
UPLOAD_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": BINARY},
        FORM: {"schema": {"type": "object", "properties": {"file": BINARY}, "required": ["file"]}},
    },
}


class JobAnswer(BaseModel):
    """One job, as the API tells it."""

    id: str
    name: str
    size_bytes: int
    sha256: str
    state: JobState
    progress: float
    """In [0, 1]."""
    seconds_left: float | None
    """Of a running job, at the pace so far; None where that is not known yet."""
    jobs_ahead: int
    reason: str | None
    """Why it failed."""
    result: str | None
    """Where the JSON verdict is, once done."""
    report: str | None
    """Where the HTML report is, once done."""
    csv: str | None
    """Where the row of CSV is, once done."""
    timeline: str | None
    """Where the faces' boxes and scores over time are, once done."""
    maps: str | None
    """Where the heat maps are, of a job that was asked for them, once done."""


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: str


def service_of(request: Request) -> Service:
    """Of the running application."""
    return request.app.state.service


def _require_key(request: Request, given: Annotated[str | None, Depends(KEY_HEADER)]) -> None:
    expected = service_of(request).settings.api_key
    if expected is not None and not hmac.compare_digest((given or "").encode(), expected.encode()):
        raise RefusedUploadError(401, "give the API key in the header X-API-Key")


def _job(service: Annotated[Service, Depends(service_of)], job_id: str) -> Job:
    job = service.store.find(job_id)
    if job is None:
        raise RefusedUploadError(404, "no such job: it never was, or its result has expired")
    return job


FoundService = Annotated[Service, Depends(service_of)]
FoundJob = Annotated[Job, Depends(_job)]
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorAnswer} for code in (400, 401, 404, 408, 409, 413, 415, 422, 429, 503, 507)
}
api = APIRouter(prefix="/api/v1", dependencies=[Depends(_require_key)], responses=REFUSALS)


@api.post("/jobs", status_code=202, openapi_extra={"requestBody": UPLOAD_BODY})
async def submit_video(
    request: Request, service: FoundService, name: Annotated[str | None, Query(max_length=1000)] = None
) -> JobAnswer:
    """Send a video or a picture as the raw body, or as the one file of a form (curl -F file=@video.mp4).

    ``name`` is shown to people and never used as a path; a form's file brings its own.
    """
    chunks, form_name = await _body(request, service.settings.limits)
    job = await service.submit(chunks, name or form_name or "video", _announced_bytes(request))
    return _answer(service, job)


@api.post("/jobs/{job_id}/maps", status_code=202, openapi_extra={"requestBody": UPLOAD_BODY})
async def submit_for_maps(
    request: Request, service: FoundService, job: FoundJob, track_id: int, start_seconds: float
) -> JobAnswer:
    """Send a judged file again, for the heat maps of one clip of its result: a job of its own.

    The service deletes each video when its job ends, so it cannot draw them without.
    """
    chunks, _ = await _body(request, service.settings.limits)
    size = _announced_bytes(request)
    return _answer(service, await service.submit_for_maps(chunks, job, track_id, start_seconds, size))


def _announced_bytes(request: Request) -> int:
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


async def _body(request: Request, limits: ServiceLimits) -> tuple[AsyncIterator[bytes], str | None]:
    """The file's bytes as they arrive, and the name that a form gives it."""
    given = request.headers.get("content-type", "")
    content_type = given.split(";")[0].strip().lower()
    if content_type == FORM:
        file = await first_file(request.stream(), given, limits.upload_seconds)
        return file.chunks, file.name
    if content_type != "application/octet-stream" and not content_type.startswith(("video/", "image/")):
        raise RefusedUploadError(
            415,
            f"send the file's bytes as application/octet-stream, video/* or image/*, or as a file of {FORM}",
        )
    return request.stream(), None


@api.get("/jobs")
def job_states(
    service: FoundService, job_ids: Annotated[list[str] | None, Query(alias="id", max_length=200)] = None
) -> list[JobAnswer]:
    """Those of the named jobs that are known: nobody is told of jobs whose ids they were not given."""
    found = (service.store.find(job_id) for job_id in job_ids or ())
    return [_answer(service, job) for job in found if job is not None]


@api.get("/jobs/{job_id}")
def job_state(service: FoundService, job: FoundJob) -> JobAnswer:
    """Where a job stands; ask again until its state is done or failed."""
    return _answer(service, job)


@api.get("/jobs/{job_id}/result")
def job_result(service: FoundService, job: FoundJob) -> Response:
    """The verdict as JSON, as ``detect --json`` writes it."""
    return _file(service, job, RESULT, "application/json")


@api.get("/jobs/{job_id}/csv")
def job_csv(service: FoundService, job: FoundJob) -> Response:
    """The verdict as a table of one row, as ``detect --csv`` writes it."""
    return _file(service, job, CSV, "text/csv; charset=utf-8")


@api.get("/jobs/{job_id}/timeline")
def job_timeline(service: FoundService, job: FoundJob) -> Response:
    """Where each face is and what each clip scored over time, to be drawn over the video or picture."""
    return _file(service, job, TIMELINE, "application/json")


@api.get("/jobs/{job_id}/maps")
def job_maps(service: FoundService, job: FoundJob) -> Response:
    """The heat maps of a clip as a picture: its crops, below them evidence and reconstruction error."""
    return _file(service, job, MAPS, "image/png")


@api.get("/jobs/{job_id}/report")
def job_report(service: FoundService, job: FoundJob) -> Response:
    """The report for people: one HTML page that needs nothing else."""
    response = _file(service, job, REPORT, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


@api.delete("/jobs/{job_id}", status_code=204)
def delete_job(service: FoundService, job: FoundJob) -> None:
    """Forgets a job with its result; one that waits or runs is cancelled."""
    service.forget(job)


@api.get("/model")
def model_information(service: FoundService) -> dict[str, Any]:
    """The checkpoint that judges: hash, contract, threshold, what was measured; waits until it is checked."""
    return service.model.result(timeout=MODEL_SECONDS)


@api.get("/limits")
def service_limits(service: FoundService) -> ServiceLimits:
    """What one upload and one job may take."""
    return service.settings.limits


def _answer(service: Service, job: Job) -> JobAnswer:
    """A job with the addresses of what it gave."""
    folder = service.folders.of(job.id)

    def address(kind: str, name: str) -> str | None:
        exists = job.state is JobState.DONE and (folder / name).is_file()
        return f"/api/v1/jobs/{job.id}/{kind}" if exists else None

    return JobAnswer(
        id=job.id,
        name=job.name,
        size_bytes=job.size,
        sha256=job.sha256,
        state=job.state,
        progress=job.progress,
        seconds_left=_seconds_left(job),
        jobs_ahead=service.store.ahead_of(job) if job.state is JobState.QUEUED else 0,
        reason=job.reason or None,
        result=address("result", RESULT),
        report=address("report", REPORT),
        csv=address("csv", CSV),
        timeline=address("timeline", TIMELINE),
        maps=address("maps", MAPS),
    )


def _seconds_left(job: Job) -> float | None:
    if job.state is not JobState.RUNNING or job.started is None or job.progress < LEAST_PROGRESS:
        return None
    taken = max(time.time() - job.started, 0.0)
    return round(taken * (1 - job.progress) / job.progress, 1)


def _file(service: Service, job: Job, name: str, media_type: str) -> FileResponse:
    path = service.folders.of(job.id) / name
    if job.state is not JobState.DONE or not path.is_file():
        raise RefusedUploadError(409, f"the job is {job.state.value}: there is nothing to fetch")
    return FileResponse(path, media_type=media_type)
