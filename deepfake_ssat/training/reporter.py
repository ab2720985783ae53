"""What a person is told of a run: lines on the screen, kept in train.log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.console import Console


class Reporter:
    """Says lines on the screen and keeps them in train.log, with the time."""

    def __init__(self, log_file: Path | None, console: Console) -> None:
        self.console = console
        self._log_file = log_file

    def say(self, line: str) -> None:
        """On the screen and in the file."""
        self.console.print(line, markup=False)
        if self._log_file is not None:
            with self._log_file.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")
