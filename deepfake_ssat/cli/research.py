"""The verbs of someone with a data set: preprocess, config, train, evaluate, calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.cli.shared import (
    Batch,
    Changes,
    ClipRule,
    Compressions,
    Config,
    Corpora,
    Device,
    FaceRule,
    Manipulations,
    MaxDownload,
    PerturbOn,
    Ray,
    Scaling,
    ScoreKind,
    Smoke,
    Threads,
    WorkerDevice,
    one_line_errors,
)


def preprocess(
    corpus: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="ffpp, dfdc, dfdc-preview, celebdf, deeperforensics, deepfakebench, folder or csv.",
        ),
    ],
    root: Annotated[
        str,
        typer.Argument(
            metavar="ROOT",
            help="The corpus's folder (or CSV file) in its official layout; or its address, s3://.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where clips and manifest go; run again to go on.")
    ],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a CPU core.")] = None,
    compression: Compressions = None,
    manipulation: Manipulations = None,
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only train, val or test; repeatable.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many videos of each split and manipulation.")
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(min=1, help="Clips spread over each video, the rest only decoded; default: all."),
    ] = None,
    validation_part: Annotated[
        list[int] | None, typer.Option(metavar="N", help="DFDC training part that validates; repeatable.")
    ] = None,
    split_by_identity: Annotated[
        bool, typer.Option("--split-by-identity", help="Make splits that share nobody, where none are given.")
    ] = False,
    crops: Annotated[
        bool,
        typer.Option(
            "--crops", help="The pictures are faces already, taken as they are; say their --margin."
        ),
    ] = False,
    keep_guesses: Annotated[
        bool, typer.Option("--keep-guesses", help="Take rows of a CSV whose certainty is guess.")
    ] = False,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of a clip; default 16.")] = None,
    frame_stride: Annotated[
        int | None, typer.Option(min=1, help="Take every which frame; default 1.")
    ] = None,
    crop_size: Annotated[
        int | None, typer.Option(min=16, help="Side of the face crop in pixels; default 224.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(min=0.0, help="Around the face, in parts of its side; default 0.3.")
    ] = None,
    detect_every: Annotated[
        int | None, typer.Option(min=1, help="Look for faces in every which frame; default 8.")
    ] = None,
    min_face_size: Annotated[
        float | None, typer.Option(min=1.0, help="Leave out smaller faces, in pixels; default 40.")
    ] = None,
    device: Annotated[WorkerDevice, typer.Option(help="Where the face detector runs.")] = WorkerDevice.cpu,
    ray: Ray = None,
    max_download: MaxDownload = 1000.0,
) -> None:
    """Turn a corpus into face clips and a manifest.

    Exit codes: 0 every video gave clips or has its reason in dropped.csv; 1 some failed, run again; 2 the
    command cannot run as given.
    """
    contract = {
        "frames": frames,
        "frame_stride": frame_stride,
        "crop_size": crop_size,
        "margin": margin,
        "detect_every": detect_every,
        "min_face_size": min_face_size,
        "already_cut": crops or None,
    }
    with one_line_errors():
        from deepfake_ssat.commands.preprocess import run
        from deepfake_ssat.config import parse_contract
        from deepfake_ssat.corpora import CorpusOptions
        from deepfake_ssat.errors import ConfigError

        if crops and margin is None:
            raise ConfigError(
                "--crops needs --margin, how far they reach beyond the face box: 0 where they end at it, 0.3 "
                "where they are 1.3 times as wide"
            )
        if crops and clips is not None:
            raise ConfigError("--clips is for videos: with --crops every picture is taken")
        raise typer.Exit(
            run(
                corpus,
                root,
                out,
                settings=parse_contract(
                    {name: value for name, value in contract.items() if value is not None}
                ),
                options=CorpusOptions(
                    compressions=tuple(compression or ()),
                    manipulations=tuple(manipulation or ()),
                    splits=tuple(split or ()),
                    validation_parts=None if validation_part is None else tuple(validation_part),
                    split_by_identity=split_by_identity,
                    keep_guesses=keep_guesses,
                ),
                workers=workers,
                limit=limit,
                clips=clips,
                device=device.value,
                ray=ray,
                max_download=max_download,
            )
        )


def config(config: Config, set_: Changes = None, smoke: Smoke = False) -> None:
    """Print a configuration with all its settings.

    What it says itself, what it takes from its base, and every default: as train stores it in the run folder.
    """
    with one_line_errors():
        from deepfake_ssat.commands.config import run

        raise typer.Exit(run(config, changes=set_ or [], smoke=smoke))


def train(
    config: Config,
    set_: Changes = None,
    smoke: Smoke = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The run's folder, runs/<name of the config> if none; run again to go on."
        ),
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Let a run that was stopped go on to more trainer.epochs.")
    ] = False,
) -> None:
    """Train on what preprocess wrote, or on pictures.

    The same command goes on with a run that was killed. Several processes: torchrun --nproc-per-node N -m
    deepfake_ssat train CONFIG.yaml ..., or Slurm's srun before the command. Exit codes: 0 trained to the end;
    2 the command cannot run as given.
    """
    with one_line_errors():
        from deepfake_ssat.commands.train import run

        raise typer.Exit(run(config, changes=set_ or [], out=out, smoke=smoke, extend=extend))


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
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="train, val or test (default); repeatable.")
    ] = None,
    corpus: Corpora = None,
    compression: Compressions = None,
    manipulation: Manipulations = None,
    clip_rule: ClipRule = None,
    face_rule: FaceRule = None,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.auto,
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
        from deepfake_ssat.config import Selection
        from deepfake_ssat.errors import ConfigError
        from deepfake_ssat.evaluation.perturbing import perturb_options

        selection = Selection(
            splits=tuple(split or ["test"]),
            corpora=tuple(corpus or ()),
            compressions=tuple(compression or ()),
            manipulations=tuple(manipulation or ()),
        )
        if scores is not None:
            of_models = {"CHECKPOINT": checkpoint, "--face-rule": face_rule, "--perturb": perturb}
            given = [name for name, value in {**of_models, "--perspective": perspective}.items() if value]
            if given:
                raise ConfigError(f"--scores {scores}: {given[0]} is of models; leave it out")
            table = GivenScores(scores, score_kind.value, labels)
            raise typer.Exit(run_on_scores(table, out, selection, clip_rule, seed))
        if labels is not None or checkpoint is None or manifest is None:
            raise ConfigError("give CHECKPOINT and MANIFEST, or --scores FILE.csv (and its --labels)")
        raise typer.Exit(
            run(
                checkpoint,
                manifest,
                out,
                selection=selection,
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
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A file that train wrote.")],
    manifests: Annotated[
        list[Path],
        typer.Argument(metavar="MANIFEST...", help="Folders that preprocess wrote; or where pictures lie."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The calibrated checkpoint to write.")],
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="train, val (default) or test; repeatable.")
    ] = None,
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
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.auto,
    batch: Batch = None,
    threads: Threads = None,
) -> None:
    """Give a checkpoint honest probabilities.

    Fitted on validation videos, with a threshold at a chosen false-alarm rate and an uncertain band; detect
    and all other verbs then use them.
    """
    with one_line_errors():
        from deepfake_ssat.commands.calibrate import run
        from deepfake_ssat.config import Selection

        raise typer.Exit(
            run(
                checkpoint,
                manifests,
                out,
                selection=Selection(
                    splits=tuple(split or ["val"]),
                    corpora=tuple(corpus or ()),
                    compressions=tuple(compression or ()),
                    manipulations=tuple(manipulation or ()),
                ),
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
