"""Chooses what does the tasks: processes of this machine, or workers of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from deepfake_ssat.pool.processes import map_in_processes
from deepfake_ssat.pool.ray_cluster import Share, connected, map_on_cluster
from deepfake_ssat.pool.worker import Outcome, Prepare

Engine = Callable[[Prepare, Sequence[Any]], Iterator[Outcome]]
"""Yields an outcome for every task as they finish; ``map_in_processes`` says what of."""


@contextmanager
def open_engine(
    workers: int | None = None,
    ray: str | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
    files: Iterable[Path] = (),
) -> Iterator[Engine]:
    """So many processes of this machine, by default one a CPU core; with ``ray``, of the cluster there.

    On a cluster they are by default as many as it has room for, each of ``threads`` CPUs, and on the device
    ``cuda`` of a part of a GPU; all must see ``files``, whatever machine they run on. Raises ConfigError
    where Ray is not installed or the cluster cannot be reached.
    """
    if ray is None:
        yield partial(map_in_processes, processes=workers or num_cores())
        return
    with connected(ray):
        share = Share.of(device, threads)
        yield partial(map_on_cluster, share=share, workers=workers, files=[os.path.abspath(f) for f in files])


def num_cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """As the tasks were given: one that is done early waits for those before it."""
    early: dict[int, Outcome] = {}
    following = 0
    for outcome in outcomes:
        early[outcome.task] = outcome
        while following in early:
            yield early.pop(following)
            following += 1
