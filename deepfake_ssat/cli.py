"""The command line: parses, calls one command, prints errors. Heavy imports wait inside the verbs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.version import __version__

USAGE_ERROR, INTERRUPTED = 2, 130

app = typer.Typer(
    name="deepfake-ssat",
    help="Tells genuine face videos from manipulated ones, and trains the detector.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class Reader(str, Enum):
    """Which library reads a video; decord runs in a process that a time limit can end."""

    pyav = "pyav"
    decord = "decord"


class Device(str, Enum):
    """Where the networks run; auto takes the GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Backend(str, Enum):
    """What computes the scores; openvino is faster on CPUs."""

    torch = "torch"
    openvino = "openvino"


class ExportFormat(str, Enum):
    """What other programs read."""

    onnx = "onnx"


class WorkerDevice(str, Enum):
    """Where a worker process runs its networks: there is one a CPU core, so the GPU is never a default."""

    cpu = "cpu"
    cuda = "cuda"


def main() -> None:
    """The console script."""
    app()


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What a user can cause ends in one line and exit code 2; a bug keeps its traceback."""
    try:
        yield
    except DeepfakeError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except KeyboardInterrupt as error:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from error


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deepfake-ssat {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Tells genuine face videos from manipulated ones, and trains the detector."""


@app.command()
def detect(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Videos, or folders with videos at any depth.")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trained weights; without it the default ones.")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the results as JSON (docs/detect_schema.md); - prints them."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one line a video as CSV; - prints them.")
    ] = None,
    clips: Annotated[
        str, typer.Option(metavar="N|all", help="Clips spread over each video, or every one.")
    ] = "4",
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = Device.auto,
    backend: Annotated[
        Backend, typer.Option(help="What computes the scores; openvino on CPUs only, as an extra.")
    ] = Backend.torch,
    reader: Annotated[Reader, typer.Option(help="Which library reads the videos.")] = Reader.pyav,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Write a page to read; for several videos a folder of them."),
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a copy of the one video with faces marked.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Stop with a traceback at an internal error in a video.")
    ] = False,
) -> None:
    """Judge videos: is a face in them manipulated?

    Exit codes: 0 every video was scored; 3 some were not (no face, too short, unreadable: the table says
    which); 2 the command cannot run as given, or nothing to judge was found; 130 interrupted.
    """
    with _one_line_errors():
        from deepfake_ssat.commands.detect import run

        raise typer.Exit(
            run(
                paths,
                checkpoint=checkpoint,
                json_file=json,
                csv_file=csv,
                clips=clips,
                device=device.value,
                reader=reader.value,
                threads=threads,
                debug=debug,
                report=report,
                annotate=annotate,
                backend=backend.value,
            )
        )


@app.command()
def preprocess(
    corpus: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS", help="ffpp, dfdc, dfdc-preview, celebdf, deeperforensics, folder or csv."
        ),
    ],
    root: Annotated[
        Path,
        typer.Argument(metavar="ROOT", help="The corpus's folder (or CSV file), in its official layout."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where clips and manifest go; run again to go on.")
    ],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a CPU core.")] = None,
    compression: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one, such as c23; repeatable.")
    ] = None,
    manipulation: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one (genuine stay); repeatable.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only train, val or test; repeatable.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many videos of each split and manipulation.")
    ] = None,
    validation_part: Annotated[
        list[int] | None, typer.Option(metavar="N", help="DFDC training part that validates; repeatable.")
    ] = None,
    split_by_identity: Annotated[
        bool, typer.Option("--split-by-identity", help="Make splits that share nobody, where none are given.")
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
    reader: Annotated[Reader, typer.Option(help="Which library reads the videos.")] = Reader.pyav,
    device: Annotated[WorkerDevice, typer.Option(help="Where the face detector runs.")] = WorkerDevice.cpu,
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
    }
    with _one_line_errors():
        from deepfake_ssat.commands.preprocess import run
        from deepfake_ssat.config import parse_contract

        raise typer.Exit(
            run(
                corpus,
                root,
                out,
                settings=parse_contract(
                    {name: value for name, value in contract.items() if value is not None}
                ),
                workers=workers,
                compressions=compression or (),
                manipulations=manipulation or (),
                splits=split or (),
                reader=reader.value,
                limit=limit,
                validation_parts=validation_part,
                split_by_identity=split_by_identity,
                device=device.value,
            )
        )


@app.command()
def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.yaml", help="A complete file such as configs/*.yaml.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting: optimizer.batch_size=4."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The run's folder, runs/<name of the config> if none; run again to go on."
        ),
    ] = None,
) -> None:
    """Train a detector on what preprocess wrote, or a classifier of pictures.

    The same command goes on with a run that was killed. Several processes: torchrun --nproc-per-node N -m
    deepfake_ssat train CONFIG.yaml ... Exit codes: 0 trained to the end; 2 the command cannot run as given.
    """
    with _one_line_errors():
        from deepfake_ssat.commands.train import run

        raise typer.Exit(run(config, changes=set_ or [], out=out))


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A file that train wrote.")],
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The folder that preprocess wrote.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where tables and pictures go; run again to go on.")
    ],
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="train, val or test (default); repeatable.")
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; repeatable.")
    ] = None,
    compression: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one, such as c23; repeatable.")
    ] = None,
    manipulation: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one (genuine stay); repeatable.")
    ] = None,
    clip_rule: Annotated[
        str, typer.Option(metavar="mean|median|max", help="From a face's clips to its score.")
    ] = "mean",
    face_rule: Annotated[
        str, typer.Option(metavar="max|mean", help="From a video's faces to its score.")
    ] = "max",
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.auto,
    batch: Annotated[int | None, typer.Option(min=1, help="Clips scored at a time.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap intervals.")] = 0,
) -> None:
    """Measure a checkpoint on labelled videos.

    AUC, error rates and calibration with intervals, overall and by manipulation.
    """
    with _one_line_errors():
        from deepfake_ssat.aggregate import AggregationPolicy
        from deepfake_ssat.commands.evaluate import run
        from deepfake_ssat.config import Selection

        raise typer.Exit(
            run(
                checkpoint,
                manifest,
                out,
                selection=Selection(
                    splits=tuple(split or ["test"]),
                    corpora=tuple(corpus or ()),
                    compressions=tuple(compression or ()),
                    manipulations=tuple(manipulation or ()),
                ),
                device=device.value,
                batch=batch,
                policy=AggregationPolicy(clip_rule, face_rule),
                threads=threads,
                seed=seed,
            )
        )


@app.command("cross-manipulation")
def cross_manipulation(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where folds and the table go; run again to go on.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of all folds; repeatable."),
    ] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this fold, the others run elsewhere; repeatable."),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Which split is judged.")] = "test",
    merge_only: Annotated[
        bool, typer.Option("--merge-only", help="Only make the table of the folds that are in DIR.")
    ] = False,
) -> None:
    """Hold each manipulation out of training in turn, and judge it.

    Each fold is trained on the other manipulations and the originals. Folds can run on several machines: give
    each --hold-out, copy their folders (DIR/folds/NAME) together, and run --merge-only.
    """
    with _one_line_errors():
        from deepfake_ssat.commands.cross_manipulation import run

        raise typer.Exit(
            run(
                config,
                out,
                changes=set_ or [],
                hold_out=hold_out or [],
                split=split,
                merge_only=merge_only,
            )
        )


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Folders that cross-manipulation wrote.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the table goes.")],
) -> None:
    """Put several methods' cross-manipulation into one table, a row each."""
    with _one_line_errors():
        from deepfake_ssat.commands.compare import run

        raise typer.Exit(run(folders, out))


@app.command("cross-dataset")
def cross_dataset(
    checkpoint: Annotated[
        list[str], typer.Option(metavar="[NAME=]FILE", help="A file that train wrote; repeatable.")
    ],
    manifest: Annotated[
        list[str], typer.Option(metavar="[NAME=]DIR", help="A folder that preprocess wrote; repeatable.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the matrix and its cells go; run again to go on.")
    ],
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="train, val or test (default); repeatable.")
    ] = None,
    compression: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one, such as c23; repeatable.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = Device.auto,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice.")] = None,
) -> None:
    """Measure every checkpoint on every data set: a matrix of video AUC."""
    with _one_line_errors():
        from deepfake_ssat.commands.cross_dataset import run
        from deepfake_ssat.config import Selection

        raise typer.Exit(
            run(
                checkpoint,
                manifest,
                out,
                selection=Selection(splits=tuple(split or ["test"]), compressions=tuple(compression or ())),
                device=device.value,
                threads=threads,
            )
        )


@app.command()
def serve(
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trained weights; without it the default ones.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where jobs and results are kept for a while.")
    ] = None,
    clips: Annotated[str, typer.Option(metavar="N|all", help="Clips spread over each video.")] = "all",
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = Device.auto,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines reach it; set DEEPFAKE_SSAT_API_KEY.")
    ] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Change a limit: upload_megabytes=200; repeatable."),
    ] = None,
) -> None:
    """Serve a page to drop a video on, and a REST API, from this machine."""
    with _one_line_errors():
        from deepfake_ssat.commands.serve import run
        from deepfake_ssat.config.service import parse_limits

        raise typer.Exit(
            run(
                checkpoint=checkpoint,
                host=host,
                port=port,
                folder=folder,
                clips=clips,
                device=device.value,
                allow_remote=allow_remote,
                limits=parse_limits(limit or []),
            )
        )


@app.command()
def model(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(metavar="[CHECKPOINT]", help="A file that train wrote; default weights if none."),
    ] = None,
) -> None:
    """Show what a checkpoint is.

    Its network, extraction contract, threshold, metrics, provenance and hash.
    """
    with _one_line_errors():
        from deepfake_ssat.commands.model import run

        raise typer.Exit(run(checkpoint))


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A file that train wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write, such as detector.onnx.")],
    format_: Annotated[ExportFormat, typer.Option("--format", help="Its format.")] = ExportFormat.onnx,
) -> None:
    """Write a detector as a file that other programs run (docs/export.md).

    It reads face crops and gives probabilities; finding the faces is the other program's part.
    """
    with _one_line_errors():
        from deepfake_ssat.commands.export import run

        raise typer.Exit(run(checkpoint, out, format_.value))
