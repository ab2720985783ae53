"""SIGTERM ends a command as Ctrl-C does: by an exception, so that what is open is closed and written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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


def leave_signals_to_parent() -> None:
    """For worker processes: a signal to the whole group is the parent's to answer, which then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
