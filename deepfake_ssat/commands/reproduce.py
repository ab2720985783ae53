"""``deepfake-ssat reproduce``: a table of the paper is trained row by row, and written beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.outputs import make_folder


def run(
    table: str,
    data: Path | None,
    out: Path,
    *,
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    rows: Sequence[str] = (),
    variants: Sequence[str] = (),
    changes: Sequence[str] = (),
    smoke: bool = False,
    merge_only: bool = False,
    country: str = "USA",
    cpu_watts: float | None = None,
) -> int:
    """Trains what is not finished, and writes the table after each training; returns 0.

    May be stopped at any moment: the same command goes on. ``merge_only`` makes the table of what is in the
    folder. Raises DeepfakeError for what the user can correct.
    """
    from deepfake_ssat.config.paper import find_paper_table, load_paper_table
    from deepfake_ssat.protocols.reproduce import Meter, plan_reproduction, report_of
    from deepfake_ssat.reporting import paper_report
    from deepfake_ssat.reporting.documents import write_files

    console, told = Console(highlight=False), Console(highlight=False, soft_wrap=True)
    if merge_only:
        path = find_paper_table(table)
        report = report_of(path.stem, load_paper_table(path), out, data)
    else:
        reproduction = plan_reproduction(
            table,
            data,
            out,
            epochs=epochs,
            seeds=seeds,
            rows=rows,
            variants=variants,
            changes=changes,
            smoke=smoke,
        )
        make_folder(out, [reproduction.choice.data])
        for doubt in reproduction.doubts:
            told.print(f"warning: {doubt}", markup=False)
        for number, training in enumerate(reproduction.trainings, start=1):
            told.print(f"{number} of {len(reproduction.trainings)}: {training.place}", markup=False)
            reproduction.run(training, Meter(country, cpu_watts), told)
            write_files(out, paper_report.files(reproduction.report()))
        report = reproduction.report()
    show_and_write(console, paper_report, report, out)
    return 0
