"""The verbs of someone with a video: detect, serve, model, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.cli.shared import (
    Backend,
    Checkpoint,
    DefaultCheckpoint,
    Device,
    ExportFormat,
    MaxDownload,
    NetworksOn,
    Order,
    Ray,
    Threads,
    Turn,
    one_line_errors,
)


def detect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Videos or pictures, folders of either at any depth, or addresses."
        ),
    ],
    checkpoint: DefaultCheckpoint = None,
    json: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the results as JSON (docs/detect_schema.md); - prints them."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one line a video as CSV; - prints them.")
    ] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a line of JSON for each video as soon as it is judged; - prints them."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the --jsonl file of a run that was stopped.")
    ] = False,
    clips: Annotated[
        str, typer.Option(metavar="N|all", help="Clips spread over each video, or every one.")
    ] = "4",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Judge in so many processes: a file that kills one costs no other video. Default: of 16 "
            "videos or more one a core, 4 at most; on a GPU and of fewer none.",
        ),
    ] = None,
    ray: Ray = None,
    order: Annotated[Order, typer.Option(help="Which videos come first.")] = Order.name_,
    device: NetworksOn = Device.auto,
    backend: Annotated[
        Backend, typer.Option(help="What computes the scores; openvino on CPUs only, as an extra.")
    ] = Backend.torch,
    threads: Threads = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR", help="Write a page to read (FILE.html), or a folder of pages and their index."
        ),
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a copy of the one video with faces marked.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table and no progress.")] = False,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="A case note for pages and JSON, such as a number.")
    ] = "",
    rotate: Annotated[
        Turn, typer.Option(help="Turn all pictures clockwise; at 0, only those where no face is upright.")
    ] = Turn.none,
    details: Annotated[
        bool, typer.Option("--details", help="Print each face and every warning below the table.")
    ] = False,
    max_download: MaxDownload = 1000.0,
    debug: Annotated[
        bool, typer.Option("--debug", help="Stop with a traceback at an internal error in a video.")
    ] = False,
) -> None:
    """Judge videos and pictures: is a face manipulated?

    An http(s) address is downloaded into a private file that is removed in the end; of a web page, the video
    that it shows (with deepfake-ssat[links]). So are the files and folders of s3:// and gs:// addresses
    (with deepfake-ssat[remote]), one at a time.

    Exit codes: 0 every video was scored; 3 some were not (no face, too short, unreadable: the table says
    which); 2 the command cannot run as given, or nothing to judge was found; 130 interrupted, 143 terminated
    (JSON and CSV then hold what was judged).

    Files are written whole or not at all, through links and into devices, never over a video or the
    checkpoint. A file's folder must be there; a folder of pages is made.
    """
    with one_line_errors():
        from deepfake_ssat.commands.detect import run

        raise typer.Exit(
            run(
                paths,
                checkpoint=checkpoint,
                json_file=json,
                csv_file=csv,
                clips=clips,
                device=device.value,
                threads=threads,
                debug=debug,
                report=report,
                annotate=annotate,
                backend=backend.value,
                jsonl_file=jsonl,
                resume=resume,
                workers=workers,
                order=order.value,
                quiet=quiet,
                note=note,
                rotate=int(rotate.value),
                details=details,
                ray=ray,
                max_download=max_download,
            )
        )


def serve(
    checkpoint: DefaultCheckpoint = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where jobs and results are kept for a while; default: your state folder."
        ),
    ] = None,
    clips: Annotated[str, typer.Option(metavar="N|all", help="Clips spread over each video.")] = "all",
    device: NetworksOn = Device.auto,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines reach it; set DEEPFAKE_SSAT_API_KEY.")
    ] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Change a limit (docs/serve.md), such as upload_megabytes=200; repeatable.",
        ),
    ] = None,
) -> None:
    """Serve a page to drop videos on, and an API.

    On this machine alone, until Ctrl-C: docs/serve.md.
    """
    with one_line_errors():
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


def model(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(metavar="CHECKPOINT", help="A file that train wrote; default weights if none."),
    ] = None,
) -> None:
    """Show what a checkpoint is.

    Its network, extraction contract, threshold, metrics, provenance and hash.
    """
    with one_line_errors():
        from deepfake_ssat.commands.model import run

        raise typer.Exit(run(checkpoint))


def export(
    checkpoint: Checkpoint,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE|DIR", help="The file to write, such as detector.onnx, or the folder."),
    ],
    format_: Annotated[ExportFormat, typer.Option("--format", help="Its format.")] = ExportFormat.onnx,
) -> None:
    """Write a detector as ONNX, or a model for transformers.

    Other programs run it: docs/export.md.

    It reads face crops and gives probabilities, or logits; finding the faces is the other program's part.
    """
    with one_line_errors():
        from deepfake_ssat.commands.export import run

        raise typer.Exit(run(checkpoint, out, format_.value))


def doctor() -> None:
    """Look whether what a verdict needs is here and works.

    Versions, device and precision, codecs, the default weights' self-test, and which extras are installed.
    """
    with one_line_errors():
        from deepfake_ssat.commands.doctor import run

        raise typer.Exit(run())
