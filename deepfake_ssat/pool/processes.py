"""Maps a function over tasks in processes of their own, and survives the death of any of them.

``ProcessPoolExecutor`` gives up every pending task when one process is killed; here that task alone is lost.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import connection, resource_tracker
from typing import Any

from deepfake_ssat.interruption import leave_signals_to_parent, signals_held
from deepfake_ssat.pool.worker import Outcome, Prepare, Worker


def map_in_processes(prepare: Prepare, tasks: Sequence[Any], processes: int) -> Iterator[Outcome]:
    """Yields an outcome for every task, as they finish.

    ``prepare`` is called once in each process (load the networks) and returns the function of one task; it
    and the tasks must be picklable. A DeepfakeError of either, and any error in ``prepare``, is raised
    here and ends the work; another error of the function, and a LinkError, concerns its task alone. The
    processes end with the caller, even if that is killed.
    """
    waiting = deque(range(len(tasks)))
    pool: list[_Process] = []
    try:
        pool.extend(_Process(prepare) for _ in range(min(processes, len(tasks))))
        for process in pool:
            process.give(waiting, tasks)
        while pool:
            ready = connection.wait([process.connection for process in pool])
            for process in [process for process in pool if process.connection in ready]:
                outcome = process.take()
                if outcome is not None:
                    yield outcome
                if not process.is_alive():
                    pool.remove(process)
                    if not waiting:
                        continue
                    process = _Process(prepare)
                    pool.append(process)
                if not process.give(waiting, tasks):
                    process.end()
                    pool.remove(process)
    finally:
        for process in pool:
            process.kill()


class _Process:
    """One worker process, its pipe and the task it has."""

    def __init__(self, prepare: Prepare) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare), daemon=True)
        # Where it is started with the first process, Python lets signals through before that one is.
        resource_tracker.ensure_running()
        try:
            with signals_held():
                self._process.start()
        except BaseException:
            # A signal that had waited: nobody else knows of this process, which would be waited for.
            if self._process.pid is not None:
                self.kill()
            raise
        finally:
            theirs.close()
        self._task: int | None = None
        self._alive = True

    def is_alive(self) -> bool:
        """False once the pipe has broken."""
        return self._alive

    def give(self, waiting: deque[int], tasks: Sequence[Any]) -> bool:
        """Hands over the next task; False if none is left. A dead process is noticed by the next take."""
        if not waiting:
            return False
        self._task = waiting.popleft()
        try:
            self.connection.send(tasks[self._task])
        except (BrokenPipeError, ConnectionResetError):
            self._alive = False
        return True

    def take(self) -> Outcome | None:
        """The outcome that the process sent, or its death as one."""
        task = self._task
        assert task is not None
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._alive = False
            self._process.join()
            code = self._process.exitcode or 0
            how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
            return Outcome(task, failure=f"the process was {how}" if code < 0 else f"the process {how}")
        return Outcome.of(task, answer)

    def end(self) -> None:
        """Lets an idle process finish."""
        self.connection.close()
        self._process.join()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: connection.Connection, prepare: Prepare) -> None:
    """The life of a worker process: prepare, then task after task until the pipe is closed."""
    leave_signals_to_parent()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    worker = Worker(prepare)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(worker.answer(task))


def _die_with_parent() -> None:
    """Ends this process at once when its parent is gone, whatever it is doing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
