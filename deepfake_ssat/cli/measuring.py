"""The verbs that measure a model on a data set: evaluate, calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.cli.shared import (
    Batch,
    Checkpoint,
    ClipRule,
    Compressions,
    Corpora,
    Device,
    FaceRule,
    Manipulations,
    NetworksOn,
    PerturbOn,
    Ray,
    Scaling,
    ScoreKind,
    TestSplit,
    Threads,
    ValidationSplit,
    one_line_errors,
    selection,
)


def evaluate(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where tables and pictures go; run again to go on.")
    ],
    checkpoint: Annotated[
        Path | None, typer.Argument(metavar="CHECKPOINT", help="A file that train wrote.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST",
            help="The folder that preprocess wrote; or where a model's pictures lie.",
            show_default=False,
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="In place of both: anybody's scores and labels (docs/scores.md)."
        ),
    ] = None,
    score_kind: Annotated[
        ScoreKind, typer.Option(help="What --scores holds: probabilities of fake or real, or logits of fake.")
    ] = ScoreKind.fake,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Labels of --scores: a data set's JSON of DeepfakeBench."),
    ] = None,
    split: TestSplit = None,
    corpus: Corpora = None,
    compression: Compressions = None,
    manipulation: Manipulations = None,
    clip_rule: ClipRule = None,
    face_rule: FaceRule = None,
    device: NetworksOn = Device.auto,
    batch: Batch = None,
    threads: Threads = None,
    seed: Annotated[int, typer.Option(min=0, help="Of bootstrap intervals and perturbations.")] = 0,
    perturb: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES|all",
            help="Also measure on spoilt pictures, five levels each: saturation, blocks, contrast, blur, "
            "noise, jpeg, video, h264, resize; commas or repeated.",
        ),
    ] = None,
    perturb_on: Annotated[
        PerturbOn,
        typer.Option(help="Spoil the stored face crops (fast), or source videos before faces are found."),
    ] = PerturbOn.clips,
    videos_root: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CORPUS=]DIR", help="For --perturb-on videos: the folder preprocess read; repeatable."
        ),
    ] = None,
    perspective: Annotated[
        float | None,
        typer.Option(metavar="D", help="Of pictures: move their corners at random; table 2's sets: 0.5."),
    ] = None,
    ray: Ray = None,
) -> None:
    """Measure a checkpoint on labelled videos or pictures.

    Videos: AUC, error rates and calibration with intervals, overall and by manipulation; with --perturb, how
    they hold when the picture gets worse. Pictures (CIFAR, ImageNet, …): top-1 and top-5, overall and by
    class; with --perspective, as seen from other places. With --scores, what other programs say of videos.
    """
    with one_line_errors():
        from deepfake_ssat.commands.evaluate import GivenScores, run, run_on_scores
        from deepfake_ssat.errors import ConfigError
        from deepfake_ssat.evaluation.perturbing import perturb_options

        chosen = selection("test", split, compression, corpus, manipulation)
        if scores is not None:
            of_models = {"CHECKPOINT": checkpoint, "--face-rule": face_rule, "--perturb": perturb}
            given = [name for name, value in {**of_models, "--perspective": perspective}.items() if value]
            if given:
                raise ConfigError(f"--scores {scores}: {given[0]} is of models; leave it out")
            table = GivenScores(scores, score_kind.value, labels)
            raise typer.Exit(run_on_scores(table, out, chosen, clip_rule, seed))
        if labels is not None or checkpoint is None or manifest is None:
            raise ConfigError("give CHECKPOINT and MANIFEST, or --scores FILE.csv (and its --labels)")
        raise typer.Exit(
            run(
                checkpoint,
                manifest,
                out,
                selection=chosen,
                device=device.value,
                batch=batch,
                clip_rule=clip_rule,
                face_rule=face_rule,
                threads=threads,
                seed=seed,
                perturbing=perturb_options(perturb or [], perturb_on.value, videos_root or []),
                perspective=perspective,
                ray=ray,
            )
        )


def calibrate(
    checkpoint: Checkpoint,
    manifests: Annotated[
        list[Path],
        typer.Argument(metavar="MANIFEST...", help="Folders that preprocess wrote; or where pictures lie."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The calibrated checkpoint to write.")],
    split: ValidationSplit = None,
    corpus: Corpora = None,
    compression: Compressions = None,
    manipulation: Manipulations = None,
    clip_rule: ClipRule = None,
    face_rule: FaceRule = None,
    method: Annotated[
        Scaling, typer.Option(help="Temperature and bias (platt), or temperature alone.")
    ] = Scaling.platt,
    false_alarm_rate: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="At most this part of the genuine videos is called fake."),
    ] = 0.05,
    miss_rate: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="At most this part of the manipulated is called real."),
    ] = 0.05,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where tables and pictures go; default: beside --out."),
    ] = None,
    device: NetworksOn = Device.auto,
    batch: Batch = None,
    threads: Threads = None,
) -> None:
    """Give a checkpoint honest probabilities.

    Fitted on validation videos, with a threshold at a chosen false-alarm rate and an uncertain band; detect
    and all other verbs then use them.
    """
    with one_line_errors():
        from deepfake_ssat.commands.calibrate import run

        raise typer.Exit(
            run(
                checkpoint,
                manifests,
                out,
                selection=selection("val", split, compression, corpus, manipulation),
                clip_rule=clip_rule,
                face_rule=face_rule,
                method=method.value,
                false_alarm_rate=false_alarm_rate,
                miss_rate=miss_rate,
                report_folder=report,
                device=device.value,
                batch=batch,
                threads=threads,
            )
        )
