"""Functions that the tests of the process pool run in other processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deepfake_ssat.errors import VideoError

HELD_WHEN_IMPORTED = signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""The signals that waited while this module was read."""


def prepare_held():
    return lambda _: {signal.SIGINT, signal.SIGTERM} <= HELD_WHEN_IMPORTED


def prepare_square():
    return lambda number: number * number


def prepare_hazards():
    """A word tells each task what to suffer."""

    def suffer(word: str) -> str:
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "bug":
            raise KeyError("x")
        if word == "refuse":
            raise VideoError("disk is full; free some")
        return word

    return suffer


def prepare_refusing():
    raise VideoError("no networks here")


def prepare_broken():
    raise ZeroDivisionError("broken")


def prepare_sleep():
    def sleep(folder: str) -> None:
        Path(folder, str(os.getpid())).touch()
        time.sleep(120)

    return sleep


def prepare_noting():
    """Each task notes its machine and process in its file, and ends when ``go`` lies beside that."""

    def note(file: Path) -> str:
        import ray

        with file.open("a") as notes:
            notes.write(f"{ray.get_runtime_context().get_node_id()} {os.getpid()}\n")
        while not (file.parent / "go").exists():
            time.sleep(0.05)
        return file.name

    return note
