"""Stands in for Ray, in this process: what is handed over is done when it is waited for, the last first."""

from __future__ import annotations

import pickle
from collections import Counter
from types import SimpleNamespace


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class WorkerCrashedError(RayError):
    pass


class WorkerDies(BaseException):
    """A task raises it in place of a kill."""


class ScriptedRay:
    """One machine with so many CPUs; it notes how much it was given at once and how often."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, cpus: float) -> None:
        self._cpus = cpus
        self._given: dict[int, tuple] = {}
        self._count = 0
        self.most_at_once = 0
        self.times: Counter = Counter()
        self.cancelled = 0

    def nodes(self):
        gone = {"Alive": False, "Resources": {"CPU": 100.0}}
        return [{"Alive": True, "Resources": {"CPU": self._cpus}}, gone]

    def remote(self, **options):
        assert options == {"num_cpus": 1, "num_gpus": 0, "max_retries": 0, "max_calls": 0}

        def wrap(function):
            def submit(*arguments):
                self._count += 1
                self._given[self._count] = function, pickle.dumps(arguments)
                self.times[arguments[-1]] += 1
                self.most_at_once = max(self.most_at_once, len(self._given))
                return self._count

            return SimpleNamespace(remote=submit)

        return wrap

    def wait(self, references):
        return references[-1:], references[:-1]

    def get(self, reference):
        function, arguments = self._given.pop(reference)
        try:
            return pickle.loads(pickle.dumps(function(*pickle.loads(arguments))))
        except WorkerDies as death:
            raise WorkerCrashedError from death
        except Exception as error:
            raise RayTaskError(f"traceback\n{error}") from error

    def cancel(self, reference, force):
        assert force
        del self._given[reference]
        self.cancelled += 1
