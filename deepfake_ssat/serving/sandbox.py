"""Runs one untrusted step in a child process that memory, time and the parent's death can end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
MAX_WRITTEN_BYTES = 1_000_000_000
LAST_WORDS = 65_536
"""Bytes at the end of what it wrote to standard error: a stranger's file may make it write all it may."""
NO_ROOM = 28
"""Exit code of a child that could not write its result."""
UNREADABLE, TOO_LARGE = 10, 11
"""Exit codes of a child that looked at a file which is not taken."""
OUT_OF_MEMORY = ("MemoryError", "allocate memory", "bad_alloc", "not enough memory")


@dataclass(frozen=True)
class ChildLimits:
    """What a child may take."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class ChildOutcome:
    """How a child ended; ``failure`` is None for exit code 0."""

    failure: str | None
    code: int


def run_child(
    module: str,
    arguments: Sequence[str],
    limits: ChildLimits,
    folder: Path,
    *,
    on_poll: Callable[[], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ChildOutcome:
    """Runs ``python -m module arguments`` in ``folder``; its standard error becomes the reason of a failure.

    ``on_poll`` is called several times a second; when ``stop`` turns true the child is killed.
    """
    started = time.monotonic()
    errors = folder / "stderr"
    with errors.open("wb") as error_file:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=error_file,
            start_new_session=True,
            preexec_fn=_limiter(limits, os.getpid()),
        )
    failure = None
    try:
        while failure is None and child.poll() is None:
            if time.monotonic() - started > limits.seconds:
                failure = f"stopped after {limits.seconds:g} seconds, the limit for one analysis"
            elif stop is not None and stop():
                failure = "stopped"
            elif on_poll:
                on_poll()
            time.sleep(POLL_SECONDS)
    finally:
        if child.poll() is None:
            _kill_group(child)
        code = child.wait()
    if failure is None and code != 0:
        failure = _reason(code, errors)
    errors.unlink(missing_ok=True)
    return ChildOutcome(failure, code)


def _limiter(limits: ChildLimits, parent: int) -> Callable[[], None]:
    """What the child does to itself between fork and exec."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def limit() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        # Private data, not address space: torch reserves far more addresses than it uses.
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_bytes, limits.memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_WRITTEN_BYTES, MAX_WRITTEN_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _kill_group(child: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _reason(code: int, errors: Path) -> str:
    """One line for a child that failed: its own last words, or what killed it."""
    with errors.open("rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - LAST_WORDS, 0))
        lines = file.read().decode(errors="replace").strip().splitlines()
    last = lines[-1].removeprefix("error: ").strip() if lines else ""
    if any(sign in "\n".join(lines) for sign in OUT_OF_MEMORY):
        return "the analysis needed more memory than one job may take"
    if code < 0:
        return f"the analysis was ended by signal {signal.Signals(-code).name}"
    return last or f"the analysis ended with code {code}"
