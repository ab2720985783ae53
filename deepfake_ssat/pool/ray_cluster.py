"""Maps a function over tasks on a Ray cluster, as ``map_in_processes`` does on one machine.

Ray places the workers and tells when one died; what is tried again, and how often, is decided here. Nothing
but tasks and answers goes through Ray: files lie on storage that all machines share.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from deepfake_ssat.errors import ConfigError, DeepfakeError, install
from deepfake_ssat.interruption import sigterm_kept
from deepfake_ssat.pool.worker import Answer, Outcome, Prepare, Worker
from deepfake_ssat.version import __version__

ATTEMPTS = 3
"""A lost machine is not the task's fault, a file that kills its worker kills the third one as well."""
SUBMITTED_PER_WORKER = 2
"""One at work and one behind it, which also lets a cluster that can grow know that it should."""
WORKERS_PER_GPU = 4
LOCAL_STORE_BYTES = 100_000_000
"""Ray takes a third of the memory by default; only tasks and answers pass through."""
SECONDS_BETWEEN_LOOKS = 10.0
"""At the machines that are there: a list of hundreds of them takes longer than handing over a task."""
SECONDS_TO_CONNECT = 5.0
REMEDY = "start a cluster with ray start (docs/scale.md), or give local"
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray prints about dead workers on standard output, where documents go; the outcome says it.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Read when Ray is imported."""


@dataclass(frozen=True)
class Share:
    """What one worker takes of its machine."""

    cpus: float = 1
    gpus: float = 0

    @classmethod
    def of(cls, device: str, threads: int) -> Share:
        """As many CPUs as it has threads."""
        return cls(threads, 1 / WORKERS_PER_GPU if device == "cuda" else 0)

    def fits(self, resources: dict[str, float]) -> int:
        """How many workers a machine has room for."""
        by_gpu = [resources.get("GPU", 0) / self.gpus] if self.gpus else []
        return int(min(resources.get("CPU", 0) / self.cpus, *by_gpu, float("inf")))


@dataclass(frozen=True)
class Place:
    """What a worker's machine must have in common with the one that gives the tasks."""

    folder: str
    """Relative paths start here."""
    files: tuple[str, ...]
    version: str = __version__

    def enter(self) -> None:
        """Raises ConfigError naming the machine that differs, before it could call videos unreadable."""
        machine = socket.gethostname()
        if self.version != __version__:
            raise ConfigError(
                f"{machine} of the Ray cluster has deepfake-ssat {__version__}, the command is of "
                f"{self.version}; install the same version on every machine"
            )
        for path in (self.folder, *self.files):
            if not os.path.exists(path):
                raise ConfigError(
                    f"{machine} of the Ray cluster does not see {path}; mount the same storage at the same "
                    "place on every machine"
                )
        os.chdir(self.folder)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a cluster: ``auto`` finds this machine's, ``local`` starts one that ends with it.

    A program that is connected already stays so. Raises ConfigError with the remedy.
    """
    _check_address(address)
    ray = _import_ray()
    if ray.is_initialized():
        yield
        return
    options = {"object_store_memory": LOCAL_STORE_BYTES} if address == "local" else {}
    try:
        with sigterm_kept():
            ray.init(
                address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **options,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(f"--ray {address}: {' '.join(str(error).split())}; {REMEDY}") from error
    try:
        yield
    finally:
        ray.shutdown()


def map_on_cluster(
    prepare: Prepare,
    tasks: Sequence[Any],
    share: Share,
    workers: int | None = None,
    files: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Yields an outcome for every task, as they finish; needs a connection.

    As ``map_in_processes``, but a task whose worker died is tried ``ATTEMPTS`` times. ``workers``: at most so
    many at once, by default as many as fit. No more tasks are handed over than are soon begun.
    """
    ray = _import_ray()
    if not _room(share):
        needed = f"{share.cpus:g} CPUs" + (f" and {share.gpus:g} of a GPU" if share.gpus else "")
        raise ConfigError(f"no machine of the Ray cluster has the {needed} that a worker needs; add one")
    # Given again by the loop below: Ray itself would try for ever what dies of too little memory.
    do = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0, max_calls=0)(_do)
    prepared = pickle.dumps(prepare), Place(os.getcwd(), tuple(files))
    waiting = deque((task, 1) for task in range(len(tasks)))
    running: dict[Any, tuple[int, int]] = {}
    most, look_again = 0, 0.0
    try:
        while waiting or running:
            if time.monotonic() >= look_again:
                most = workers or SUBMITTED_PER_WORKER * max(1, _room(share))
                look_again = time.monotonic() + SECONDS_BETWEEN_LOOKS
            while waiting and len(running) < most:
                task, attempt = waiting.popleft()
                running[do.remote(*prepared, tasks[task])] = task, attempt
            done, _ = ray.wait(list(running))
            for reference in done:
                task, attempt = running.pop(reference)
                try:
                    outcome = Outcome.of(task, ray.get(reference))
                except ray.exceptions.RayTaskError as error:
                    raise ConfigError(_not_started(error)) from error
                except ray.exceptions.RayError as error:
                    if attempt < ATTEMPTS:
                        waiting.append((task, attempt + 1))
                        continue
                    outcome = Outcome(
                        task, failure=f"its worker died {attempt} times ({type(error).__name__})"
                    )
                yield outcome
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _do(prepare: bytes, place: Place, task: Any) -> Answer:
    """One task, in a worker of the cluster, which keeps what it prepared for the next one."""
    try:
        return _worker(prepare, place).answer(task)
    except DeepfakeError as error:
        return "refused", error


@lru_cache(maxsize=1)
def _worker(prepare: bytes, place: Place) -> Worker:
    place.enter()
    return Worker(pickle.loads(prepare))


def _room(share: Share) -> int:
    """How many workers fit into the machines that are there now, whatever else they do."""
    return sum(share.fits(node["Resources"]) for node in _import_ray().nodes() if node["Alive"])


def _not_started(error: Exception) -> str:
    last = str(error).strip().splitlines()[-1]
    return (
        f"a worker of the Ray cluster could not begin ({last}); install deepfake-ssat {__version__} and the "
        "same Python on every machine"
    )


def _check_address(address: str) -> None:
    """Ray itself tries for minutes."""
    host, found, port = address.rpartition(":")
    if address in ("auto", "local"):
        return
    if not found or not port.isdecimal() or "/" in host:
        raise ConfigError(f"--ray {address}: give auto, local, or HOST:PORT of a machine of the cluster")
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--ray {address}: nothing answers there ({error}); {REMEDY}") from error


def _import_ray() -> Any:
    """Ray, told to report nothing."""
    os.environ.update(ENVIRONMENT)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ConfigError(f"--ray needs ray: {install('ray')}") from error
    return ray
