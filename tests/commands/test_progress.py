"""Progress where there is no terminal: a line now and then, and one at the end."""

import io

from rich.console import Console

from deepfake_ssat.commands import progress


def lines_of(monkeypatch, seconds):
    """What is printed when the 14 items are done at these times."""
    clock = iter([0.0, *seconds])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    console = Console(file=io.StringIO(), force_terminal=False)
    with progress.show_progress(console, "extracting", "video", len(seconds)) as advance:
        for _ in seconds:
            advance()
    return console.file.getvalue().splitlines()


def test_run_that_told_of_itself_tells_of_its_end(monkeypatch):
    lines = lines_of(monkeypatch, [float(second) for second in range(1, 15)])
    assert [line.split()[0] for line in lines] == ["10/14", "14/14"]


def test_short_run_stays_silent(monkeypatch):
    assert lines_of(monkeypatch, [0.1 * second for second in range(1, 15)]) == []
