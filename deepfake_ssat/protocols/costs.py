"""What a training costs: seconds, electricity and CO₂ of all its sessions, in a file beside its folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.errors import OutputError
from deepfake_ssat.outputs import write_file
from deepfake_ssat.protocols.energy import EnergyMeter
from deepfake_ssat.text import read_own
from deepfake_ssat.training.run_folder import RunFolder

ACCOUNT_SECONDS = 10.0
"""A killed session's cost is known up to so long before its end."""


@dataclass(frozen=True)
class Cost:
    """Of several trainings together; None where a session was not measured."""

    seconds: float | None
    kwh: float | None
    kg_co2: float | None
    sessions: int
    methods: tuple[str, ...]
    """How the energy was found out."""


def cost_file(folder: RunFolder) -> Path:
    """Beside the run folder, which is the trainer's."""
    return folder.root.with_name(f"{folder.root.name}.cost.json")


@contextmanager
def metered(folder: RunFolder, country: str, cpu_watts: float | None) -> Iterator[None]:
    """Adds the time and energy of what runs inside as one more session."""
    file = cost_file(folder)
    before = _sessions(file)
    meter, began, ended = EnergyMeter(country, cpu_watts), time.monotonic(), threading.Event()

    def account(energy: dict[str, float]) -> None:
        session = {"seconds": time.monotonic() - began, **energy, "method": meter.method()}
        write_file(file, (json.dumps({"sessions": [*before, session]}, indent=2) + "\n").encode())

    def keep_account() -> None:
        while not ended.wait(ACCOUNT_SECONDS):
            with suppress(OutputError):  # Of a full disk the training tells, which ends by it.
                account(meter.read())

    keeper = threading.Thread(target=keep_account, name="cost", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        account(meter.stop())


def read_cost(folders: Sequence[RunFolder]) -> Cost:
    """All sessions of some trainings, added up."""
    sessions = [session for folder in folders for session in _sessions(cost_file(folder))]
    seconds, kwh, kg_co2 = (_total(sessions, key) for key in ("seconds", "kwh", "kg_co2"))
    methods = sorted({session["method"] for session in sessions if session.get("method")})
    return Cost(seconds, kwh, kg_co2, len(sessions), tuple(methods))


def _total(sessions: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [session[key] for session in sessions if session.get(key) is not None]
    return sum(values) if values and len(values) == len(sessions) else None


def _sessions(file: Path) -> list[dict[str, Any]]:
    return read_own(file, "sessions")["sessions"] if file.is_file() else []
