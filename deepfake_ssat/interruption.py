"""SIGTERM ends a command as Ctrl-C does: by an exception, so that what is open is closed and written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a cluster wants its machine back, or somebody stops the service."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within the block the first SIGTERM raises Terminated; those after it find the ending under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(*_: object) -> None:
        # ``timeout`` and cluster managers send it to the process and again to its group.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Within the block a library may set an answer of its own to SIGTERM; after it the one before holds."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


class SignalWatch:
    """Keeps SIGTERM and Ctrl-C until the work stands well; a second Ctrl-C does not wait."""

    def __init__(self) -> None:
        self.received: KeyboardInterrupt | None = None
        self._waits = False

    def start(self) -> None:
        """From now on signals are kept."""
        if threading.current_thread() is threading.main_thread():
            self._waits = True
            signal.signal(signal.SIGTERM, self._keep)
            signal.signal(signal.SIGINT, self._keep)

    def stop_waiting(self) -> None:
        """From now on they raise, and so does one that was kept."""
        self._waits = False
        if self.received is not None:
            raise self.received

    def _keep(self, number: int, _: object) -> None:
        before = self.received
        received = before or (Terminated() if number == signal.SIGTERM else KeyboardInterrupt())
        self.received = received
        if not self._waits or (before is not None and number == signal.SIGINT):
            raise received


@contextmanager
def signals_held() -> Iterator[None]:
    """Within the block signals wait; a process started in it lets them wait as well: no traceback.

    To block them in this thread is not enough: another one (OpenMP's, a progress bar's) may take a signal,
    and Python then answers it in the main thread, wherever that is.
    """
    held: list[int] = []
    with ExitStack() as stack:
        # Called from the last to the first, the others too where one raises a signal that had waited.
        stack.callback(_raise_signals, held)
        stack.callback(
            signal.pthread_sigmask, signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        )
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.signal(number, lambda number, _: held.append(number))
                stack.callback(_answer_again, number, before)
        yield


def _answer_again(number: int, handler: Any) -> None:
    try:
        signal.signal(number, handler)
    finally:
        # Python first answers one that came before, which may raise: the handler is to be set all the same.
        signal.signal(number, handler)


def _raise_signals(numbers: list[int]) -> None:
    for number in numbers:
        signal.raise_signal(number)


def leave_signals_to_parent() -> None:
    """For worker processes: a signal to the whole group is the parent's to answer, which then ends them."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
