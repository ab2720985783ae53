"""Progress of a long run: a bar with rate and time left on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deepfake_ssat import progress
from deepfake_ssat.progress import NOT_KNOWN

PLAIN_LINE_EVERY_SECONDS = 10.0


def console_progress(console: Console, *, transient: bool = False) -> progress.Progress:
    """Progress of library functions, shown on a console; a transient bar goes when the work is done."""
    return partial(show_progress, console, transient=transient)


@contextmanager
def show_progress(
    console: Console, doing: str, unit: str, total: int, *, transient: bool = False
) -> Iterator[progress.Advance]:
    """Call the result for the items that were just finished; a transient bar goes when the work is done."""
    started = time.monotonic()
    done, shown = 0, started
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=transient, disable=not console.is_terminal) as bars:
        bar = bars.add_task(doing, total=None if total == NOT_KNOWN else total, rate="", note="")

        def advance(count: int = 1, note: str = "") -> None:
            nonlocal done, shown
            done += count
            now = time.monotonic()
            rate = done / max(now - started, 1e-6)
            shown_rate = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
            bars.update(bar, advance=count, rate=shown_rate, note=note)
            ends = shown > started and NOT_KNOWN < total <= done
            if not console.is_terminal and (ends or now - shown >= PLAIN_LINE_EVERY_SECONDS):
                shown = now
                line = f"{done} {unit}s, {shown_rate}"
                if total != NOT_KNOWN:
                    minutes, seconds = divmod(round(max(total - done, 0) / rate), 60)
                    line = f"{done}/{total} {unit}s, {shown_rate}, ETA {minutes}:{seconds:02d}"
                console.print(f"{line}, {note}" if note else line, highlight=False)

        yield advance
