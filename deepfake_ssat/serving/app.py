"""The web application: a page for people and a REST API for programs over one queue."""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response

from deepfake_ssat.config.service import MEGABYTE
from deepfake_ssat.serving.api import FoundService, api, service_of
from deepfake_ssat.serving.jobs import JobState
from deepfake_ssat.serving.service import Service, ServiceSettings
from deepfake_ssat.serving.uploads import RefusedUploadError
from deepfake_ssat.version import __version__

STATIC = Path(__file__).parent / "static"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
LOGGER = logging.getLogger(__name__)
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "media-src blob:"
)


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

    app.add_api_route("/", _static("page.html"), include_in_schema=False)
    for file in sorted(STATIC.iterdir()):
        app.add_api_route(f"/{file.name}", _static(file.name), include_in_schema=False)

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
    if _is_full(service_of(request).folders.root, error):
        return JSONResponse({"error": "the service's disk is full: nothing was taken, try again later"}, 507)
    answer = {"error": "the service cannot use its folder at the moment: try again later"}
    return JSONResponse(answer, 503, {"Retry-After": "30"})


def _is_full(folder: Path, error: Exception) -> bool:
    if getattr(error, "errno", None) in NO_SPACE or "disk is full" in str(error):
        return True
    # SQLite calls a full disk an I/O error where it has no room for its index of the log.
    try:
        return shutil.disk_usage(folder).free < MEGABYTE
    except OSError:  # The folder itself is gone.
        return False


def _static(name: str) -> Any:
    def serve() -> FileResponse:
        return FileResponse(STATIC / name)

    return serve
