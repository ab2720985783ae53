"""``deepfake-ssat evaluate``: a checkpoint and its data in, metrics with intervals and pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_ssat.commands.pictures import one_split, refuse_options_of_videos
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import TEST_SPLIT, Selection
from deepfake_ssat.errors import ConfigError

if TYPE_CHECKING:
    from deepfake_ssat.evaluation.perturbing import PerturbOptions


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
    perspective: float | None = None,
    ray: str | None = None,
) -> int:
    """Scores every clip of the selected videos, measures, prints the table and fills ``out``.

    Run again after an interruption, it scores only what is missing. ``seed`` is the bootstrap's and the
    perturbations'; with ``perturbing`` the same videos are then measured on spoilt pictures. Of a checkpoint
    that was trained on pictures, ``manifest`` is where those lie, and ``perspective`` changes them. ``ray``
    is the address of a cluster that scores clips and videos (docs/scale.md). Returns 0; raises DeepfakeError
    for what the user can correct, such as clips cut otherwise than the checkpoint's.
    """
    from deepfake_ssat.models.checkpoint import is_of_pictures

    if checkpoint is not None and is_of_pictures(checkpoint):
        of_videos = {
            "--perturb": perturbing,
            "--clip-rule": clip_rule,
            "--face-rule": face_rule,
            "--ray": ray,
        }
        refuse_options_of_videos(checkpoint, selection, of_videos)
        return _on_pictures(
            checkpoint, manifest, out, selection.splits, perspective, device, batch, threads, seed
        )
    if perspective is not None:
        raise ConfigError(f"--perspective is of pictures, {checkpoint} of videos; --perturb spoils those")
    from deepfake_ssat.evaluation.clip_scores import CLIP_SCORES_FILE
    from deepfake_ssat.evaluation.evaluate import measure
    from deepfake_ssat.evaluation.evaluation import open_evaluation
    from deepfake_ssat.evaluation.perturbing import make_plan, measure_robustness
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.reporting import evaluation_report, robustness_report

    console = Console(highlight=False)
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
        threads=threads or 1,
        ray=ray,
        progress=console_progress(console),
    ) as evaluation:
        plan = make_plan(perturbing, evaluation.manifest, selection) if perturbing else None
        report = measure(evaluation, selection)
        if report.reused:
            console.print(f"{report.reused} {report.unit}s were scored before")
        show_and_write(console, evaluation_report, report, out, others=[CLIP_SCORES_FILE])
        if plan is not None:
            robustness = measure_robustness(evaluation, plan, report, threads)
            show_and_write(console, robustness_report, robustness, out)
    return 0


@dataclass(frozen=True)
class GivenScores:
    """Scores of another program."""

    file: Path
    kind: str = "fake"
    """``fake``, ``real`` or ``logit``."""
    labels: Path | None = None
    """A data set's JSON of DeepfakeBench, where the file has no labels."""


def run_on_scores(
    given: GivenScores,
    out: Path,
    selection: Selection = TEST_SPLIT,
    rule: str | None = None,
    seed: int = 0,
) -> int:
    """Measures scores as those of a checkpoint are, prints the table and fills ``out``; returns 0.

    Raises DeepfakeError for what the user can correct, such as a line without a label.
    """
    from deepfake_ssat.evaluation.given_scores import evaluate_scores
    from deepfake_ssat.outputs import check_file, make_folder
    from deepfake_ssat.protocols.runs import REPORT_FILE, VIDEOS_FILE
    from deepfake_ssat.reporting import evaluation_report

    console = Console(highlight=False)
    report = evaluate_scores(
        given.file, kind=given.kind, labels=given.labels, selection=selection, rule=rule, seed=seed
    )
    inputs = [path for path in (given.file, given.labels) if path is not None]
    make_folder(out)
    # An earlier result's videos.csv can be such a table: it is not written over.
    for name in (REPORT_FILE, VIDEOS_FILE):
        check_file(out / name, inputs)
    show_and_write(console, evaluation_report, report, out)
    return 0


def _on_pictures(
    checkpoint: Path,
    data: Path,
    out: Path,
    splits: Sequence[str],
    perspective: float | None,
    device: str,
    batch: int | None,
    threads: int | None,
    seed: int,
) -> int:
    from deepfake_ssat.evaluation.pictures import evaluate_pictures
    from deepfake_ssat.inference.device import use_threads
    from deepfake_ssat.outputs import make_folder
    from deepfake_ssat.reporting import picture_report

    split = one_split(splits)
    console = Console(highlight=False)
    use_threads(threads)
    report = evaluate_pictures(
        checkpoint,
        data,
        split=split,
        perspective=perspective,
        device=device,
        batch=batch,
        seed=seed,
        progress=console_progress(console),
    )
    make_folder(out, [data])
    show_and_write(console, picture_report, report, out)
    return 0
