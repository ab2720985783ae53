"""What a worker process does with its tasks, and what becomes of each."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepfake_ssat.errors import DeepfakeError, LinkError

Work = Callable[[Any], Any]
Prepare = Callable[[], Work]
Answer = tuple[str, Any]
"""What happened, and the value, error or traceback; picklable."""


@dataclass(frozen=True)
class Outcome:
    """What became of one task: its value, or how the process failed on it."""

    task: int
    value: Any = None
    failure: str | None = None
    """One line: the process died, a bug raised, or the task's file could not be brought from its address."""
    traceback: str = ""

    @classmethod
    def of(cls, task: int, answer: Answer) -> Outcome:
        """From what a worker answered; raises what ends the whole work."""
        kind, value = answer
        if kind == "refused":
            raise value
        if kind == "unprepared":
            raise RuntimeError(f"a worker process could not start:\n{value}")
        if kind == "not brought":
            return cls(task, failure=value)
        if kind == "bug":
            return cls(task, failure=value.strip().splitlines()[-1], traceback=value)
        return cls(task, value)


class Worker:
    """Prepares at its first task, and keeps what it prepared."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._work: Work | None = None

    def answer(self, task: Any) -> Answer:
        """Does one task; an error is an answer too."""
        try:
            self._work = self._work or self._prepare()
            return "done", self._work(task)
        except LinkError as error:  # It says nothing about the other tasks.
            return "not brought", str(error)
        except DeepfakeError as error:
            return "refused", error
        except Exception:
            return "bug" if self._work else "unprepared", traceback.format_exc()
