"""The verbs that make a model of a data set: preprocess, config, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.cli.shared import (
    Changes,
    Compressions,
    Config,
    Manipulations,
    MaxDownload,
    Ray,
    Smoke,
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
        int | None, typer.Option(min=1, help="Take one frame of so many; default 1.")
    ] = None,
    crop_size: Annotated[
        int | None, typer.Option(min=16, help="Side of the face crop in pixels; default 224.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(min=0.0, help="Around the face, in parts of its side; default 0.3.")
    ] = None,
    detect_every: Annotated[
        int | None, typer.Option(min=1, help="Look for faces in one frame of so many; default 8.")
    ] = None,
    min_face_size: Annotated[
        float | None, typer.Option(min=1.0, help="Leave out smaller faces, in pixels; default 40.")
    ] = None,
    clip_crf: Annotated[
        int | None,
        typer.Option(
            min=0, max=40, help="Compress clips with H.264 at this rate factor; default 0, lossless."
        ),
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
        "clip_crf": clip_crf,
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
        for option, value in (("--clips", clips), ("--clip-crf", clip_crf)):
            if crops and value is not None:
                raise ConfigError(f"{option} is for videos: with --crops every picture is taken as it is")
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
