"""Receives one video or picture within its limits, and asks a child whether it is one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.serving.sandbox import TOO_LARGE, ChildLimits, run_child

PROBE = "deepfake_ssat.serving.probe"
PROBE_SECONDS = 30.0
SHOWN_NAME_LENGTH = 120


class RefusedUploadError(Exception):
    """An upload that is not taken: the HTTP status and one line that says why."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


async def receive(chunks: AsyncIterator[bytes], path: Path, limits: ServiceLimits) -> tuple[int, str]:
    """Writes a body to ``path``; (bytes, SHA-256). Raises RefusedUploadError at the first byte too many."""
    size, digest = 0, hashlib.sha256()
    deadline = time.monotonic() + limits.upload_seconds
    with path.open("xb") as file:
        iterator = chunks.__aiter__()
        while True:
            try:
                chunk = await asyncio.wait_for(iterator.__anext__(), max(deadline - time.monotonic(), 0.001))
            except StopAsyncIteration:
                break
            except asyncio.TimeoutError:
                reason = f"the upload took longer than {limits.upload_seconds:g} seconds"
                raise RefusedUploadError(408, reason) from None
            size += len(chunk)
            if size > limits.upload_megabytes * MEGABYTE:
                raise RefusedUploadError(413, f"the file is larger than {limits.upload_megabytes:g} MB")
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if size == 0:
        raise RefusedUploadError(400, "the request has no body: send the file's bytes")
    return size, digest.hexdigest()


def check(path: Path, limits: ServiceLimits) -> None:
    """Raises RefusedUploadError unless it is a video or picture within the limits; a child reads it."""
    outcome = run_child(
        PROBE,
        [str(path), str(limits.video_seconds), str(limits.frame_megapixels)],
        ChildLimits(PROBE_SECONDS, int(limits.job_memory_megabytes * MEGABYTE)),
        path.parent,
    )
    if outcome.failure is not None:
        status = 413 if outcome.code == TOO_LARGE else 422
        raise RefusedUploadError(status, outcome.failure)


def shown_name(name: str) -> str:
    """The last part of an uploaded name, printable and short: for people to read, never a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[:SHOWN_NAME_LENGTH] or "video"
