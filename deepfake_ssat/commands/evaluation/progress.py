"""Progress of a long run: a bar with rate and time left on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_LINE_EVERY_SECONDS = 10.0


@contextmanager
def show_progress(console: Console, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """Call the result with the number of items that were just finished."""
    started = time.monotonic()
    done, shown = 0, started
    columns = (
        TextColumn(f"scoring {unit}s"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total, rate="")

        def advance(count: int) -> None:
            nonlocal done, shown
            done += count
            now = time.monotonic()
            rate = done / max(now - started, 1e-6)
            progress.update(bar, advance=count, rate=f"{rate:.1f}/s")
            if not console.is_terminal and now - shown >= PLAIN_LINE_EVERY_SECONDS:
                shown = now
                minutes, seconds = divmod(round((total - done) / rate), 60)
                console.print(f"{done}/{total} {unit}s, {rate:.1f}/s, ETA {minutes}:{seconds:02d}")

        yield advance
