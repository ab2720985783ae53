"""SIGTERM ends a command as Ctrl-C does: by an exception, so that what is open is closed and written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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


class _Held:
    """The answer to signals within a block: to wait; after it, should it still be there, the one before."""

    def __init__(self, before: Mapping[Any, Any]) -> None:
        self.numbers: list[int] = []
        self.is_over = False
        self._before = before

    def __call__(self, number: int, _: object) -> None:
        if self.is_over:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
        else:
            self.numbers.append(number)


@contextmanager
def signals_held() -> Iterator[None]:
    """Within the block signals wait; a process started in it lets them wait as well: no traceback.

    To block them in this thread is not enough: another one (OpenMP's, a progress bar's) may take a signal,
    and Python then answers it in the main thread, wherever that is.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in ENDING} if is_main else {}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    held = _Held(before)
    try:
        for number in before:
            signal.signal(number, held)
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        yield
    finally:
        # First the mask: what waited for it is held as well, so that nothing raises before all is as it was.
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        finally:
            held.is_over = True
        for number, handler in before.items():
            signal.signal(number, handler)
        _answer(held.numbers)


def _answer(numbers: Sequence[int]) -> None:
    """Each of them; of what they raise the last, as if they had come one after the other."""
    raised = None
    for number in numbers:
        try:
            signal.raise_signal(number)
        except BaseException as interruption:
            raised = interruption
    if raised is not None:
        raise raised


def leave_signals_to_parent() -> None:
    """For worker processes: a signal to the whole group is the parent's to answer, which then ends them."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
