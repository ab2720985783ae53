"""``deepfake-ssat evaluate``: a checkpoint and a manifest in, metrics with intervals and pictures out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from rich.console import Console

from deepfake_ssat.commands.rendering import show_and_write
from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import make_folder

if TYPE_CHECKING:
    from deepfake_ssat.aggregate import AggregationPolicy
    from deepfake_ssat.evaluation.perturbing import PerturbOptions
    from deepfake_ssat.inference.detector import Detector
    from deepfake_ssat.manifest import Manifest
    from deepfake_ssat.records import EvalReport

LOCK_FILE = ".evaluate.lock"
TEST_SPLIT = Selection(splits=("test",))
BATCH_CLIPS = {"cpu": 4, "cuda": 32}


def run(
    checkpoint: Path | None,
    manifest: Path,
    out: Path,
    selection: Selection = TEST_SPLIT,
    device: str = "auto",
    batch: int | None = None,
    policy: AggregationPolicy | None = None,
    threads: int | None = None,
    seed: int = 0,
    perturbing: PerturbOptions | None = None,
) -> int:
    """Scores every clip of the selected videos, measures, prints the table and fills ``out``.

    Run again after an interruption, it scores only what is missing. ``seed`` is the bootstrap's and the
    perturbations'; with ``perturbing`` the same videos are then measured on spoilt pictures. Returns 0;
    raises DeepfakeError for what the user can correct, such as clips cut otherwise than the checkpoint's.
    """
    from deepfake_ssat.evaluation.perturbed_clips import PerturbedScoring
    from deepfake_ssat.evaluation.perturbing import make_plan, perturb
    from deepfake_ssat.evaluation.scoring import CLIP_SCORES_FILE
    from deepfake_ssat.manifest import load_manifest
    from deepfake_ssat.reporting import evaluation_report, robustness_report

    console = Console(highlight=False)
    detector = load(checkpoint, device, threads)
    with locked(out, [manifest]):
        loaded = load_manifest(manifest)
        plan = make_plan(perturbing, loaded, selection) if perturbing else None
        batch = batch or BATCH_CLIPS[detector.device.type]
        policy = policy or detector.policy
        report = _evaluate(detector, loaded, out, selection, batch, policy, seed, console)
        show_and_write(console, evaluation_report, report, out, others=[CLIP_SCORES_FILE])
        if plan is not None:
            folder = out / f"perturbed_{plan.on}"
            scoring = PerturbedScoring(detector, loaded, folder, batch, policy, threads, seed, console)
            show_and_write(console, robustness_report, perturb(plan, report, scoring), out)
    return 0


def judge(
    checkpoint: Path | None,
    manifest: Path,
    out: Path,
    selection: Selection = TEST_SPLIT,
    device: str = "auto",
    batch: int | None = None,
    policy: AggregationPolicy | None = None,
    threads: int | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> tuple[EvalReport, list[str]]:
    """The report alone, and the names of the files in ``out``; prints no table."""
    from deepfake_ssat.manifest import load_manifest
    from deepfake_ssat.reporting import evaluation_report
    from deepfake_ssat.reporting.documents import write_files

    detector = load(checkpoint, device, threads)
    with locked(out, [manifest]):
        shown = console or Console(highlight=False)
        batch = batch or BATCH_CLIPS[detector.device.type]
        policy = policy or detector.policy
        report = _evaluate(detector, load_manifest(manifest), out, selection, batch, policy, seed, shown)
        return report, write_files(out, evaluation_report.files(report))


@contextmanager
def locked(out: Path, inputs: Iterable[Path] = ()) -> Iterator[None]:
    """The output folder, which is none of the inputs, for one run at a time; made where it is not there."""
    make_folder(out, inputs)
    lock = FileLock(out / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"{out}: another evaluate writes there, or a calibrate; wait, or give another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def load(checkpoint: Path | None, device: str, threads: int | None, *, decoder: bool = False) -> Detector:
    """The detector that scores, on so many CPU threads."""
    import torch

    from deepfake_ssat.inference.detector import load_detector

    if threads is not None:
        torch.set_num_threads(threads)
    return load_detector(checkpoint, device, decoder=decoder)


def _evaluate(
    detector: Detector,
    manifest: Manifest,
    out: Path,
    selection: Selection,
    batch: int,
    policy: AggregationPolicy,
    seed: int,
    console: Console,
) -> EvalReport:
    from deepfake_ssat.evaluation import account, scoring
    from deepfake_ssat.evaluation.groups import measure_groups
    from deepfake_ssat.evaluation.selection import choose_rows
    from deepfake_ssat.records import EvalReport

    detector.contract.require_same(
        manifest.contract, ours=f"checkpoint {detector.path}", theirs=f"manifest {manifest.root}"
    )
    decision = detector.checkpoint.decision
    chosen = choose_rows(manifest, selection, with_validation=not account.has_own_threshold(decision))
    scored = scoring.score_rows(detector, manifest, chosen.all, out, batch, policy, console)
    videos, validation = (
        [video for video in scored if (video.corpus, video.video_id) in names]
        for names in (
            {(row.corpus, row.video_id) for row in rows} for rows in (chosen.evaluated, chosen.validation)
        )
    )
    threshold, source = account.threshold_and_source(decision, validation)
    return EvalReport(
        provenance=account.provenance(detector, manifest, selection, policy, seed),
        unit=scoring.unit_of(detector),
        threshold=threshold,
        threshold_source=source,
        groups=tuple(measure_groups(videos, threshold, seed)),
        videos=tuple(videos),
        dropped=tuple(chosen.dropped),
        warnings=tuple(account.doubts(detector, videos, validation)),
    )
