"""``deepfake-ssat evaluate``: a checkpoint and a manifest in, metrics with intervals and pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.config import Selection

if TYPE_CHECKING:
    from deepfake_ssat.evaluation.perturbing import PerturbOptions
    from deepfake_ssat.evaluation.robustness import RobustnessReport
    from deepfake_ssat.records import EvalReport

TEST_SPLIT = Selection(splits=("test",))
TABLE_WIDTH = 100
"""Columns of the printed table where there is no terminal to ask."""


def run(
    checkpoint: Path | None,
    manifest: Path,
    out: Path,
    selection: Selection = TEST_SPLIT,
    device: str = "auto",
    batch: int | None = None,
    clip_rule: str | None = None,
    face_rule: str | None = None,
    threads: int | None = None,
    seed: int = 0,
    perturbing: PerturbOptions | None = None,
) -> int:
    """Scores every clip of the selected videos, measures, prints the table and fills ``out``.

    Run again after an interruption, it scores only what is missing. ``seed`` is the bootstrap's and the
    perturbations'; with ``perturbing`` the same videos are then measured on spoilt pictures. Returns 0;
    raises DeepfakeError for what the user can correct, such as clips cut otherwise than the checkpoint's.
    """
    from deepfake_ssat.evaluation.evaluate import measure
    from deepfake_ssat.evaluation.evaluation import open_evaluation
    from deepfake_ssat.evaluation.perturbing import make_plan, measure_robustness
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.reporting.evaluation.robustness import print_robustness
    from deepfake_ssat.reporting.evaluation.table import print_report

    console = Console(highlight=False)
    wide = console if console.is_terminal else Console(width=TABLE_WIDTH, highlight=False)
    use_threads(threads)
    with open_evaluation(
        checkpoint,
        manifest,
        out,
        clip_rule=clip_rule,
        face_rule=face_rule,
        device=device,
        batch=batch,
        seed=seed,
        progress=console_progress(console),
    ) as evaluation:
        plan = make_plan(perturbing, evaluation.manifest, selection) if perturbing else None
        report = measure(evaluation, selection)
        written = write_report(report, out)
        if report.reused:
            console.print(f"{report.reused} {report.unit}s were scored before")
        print_report(report, wide)
        if plan is not None:
            robustness = measure_robustness(evaluation, plan, report, threads)
            written += _write_robustness(robustness, out)
            print_robustness(robustness, wide)
    console.print(f"written to {out}: {', '.join(written)}", markup=False, soft_wrap=True)
    return 0


def write_report(report: EvalReport, out: Path) -> list[str]:
    """Each file whole, report.json last, so that where it is, the others are too; returns their names."""
    from deepfake_ssat.evaluation.clip_scores import CLIP_SCORES_FILE
    from deepfake_ssat.outputs import write_file
    from deepfake_ssat.reporting.evaluation.figures import FIGURES, figures
    from deepfake_ssat.reporting.evaluation.files import report_json, videos_csv
    from deepfake_ssat.reporting.evaluation.table import markdown

    files = {
        **figures(report),
        "videos.csv": videos_csv(report).encode(),
        "table.md": markdown(report).encode(),
        "report.json": report_json(report).encode(),
    }
    for name in set(FIGURES) - set(files):
        (out / name).unlink(missing_ok=True)
    for name, data in files.items():
        write_file(out / name, data)
    return [*reversed(files), CLIP_SCORES_FILE]


def _write_robustness(report: RobustnessReport, out: Path) -> list[str]:
    """Each file whole, the JSON last."""
    from deepfake_ssat.outputs import write_file
    from deepfake_ssat.reporting.evaluation.robustness import (
        robustness_csv,
        robustness_json,
        robustness_markdown,
    )
    from deepfake_ssat.reporting.evaluation.robustness_figure import robustness_figure

    name = f"perturbed_{report.on}"
    files = {
        f"{name}.png": robustness_figure(report),
        f"{name}.csv": robustness_csv(report).encode(),
        f"{name}.md": robustness_markdown(report).encode(),
        f"{name}.json": robustness_json(report).encode(),
    }
    for file, data in files.items():
        write_file(out / file, data)
    return [*reversed(files)]
