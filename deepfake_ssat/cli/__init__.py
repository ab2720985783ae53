"""The command line: parses, calls one command, prints errors. Heavy imports wait inside the verbs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deepfake_ssat.cli import judging, measuring, protocols, training
from deepfake_ssat.cli.shared import USAGE_ERROR, let_threads_sleep
from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.outputs import room_needed
from deepfake_ssat.version import __version__

app = typer.Typer(
    name="deepfake-ssat",
    help="Tells genuine face videos from manipulated ones, and trains the detector.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """The console script; help that finds no room where it is sent ends in one line, as a verb does."""
    try:
        with room_needed("the output"):
            app()
    except DeepfakeError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(USAGE_ERROR)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deepfake-ssat {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Tells genuine face videos from manipulated ones, and trains the detector."""
    let_threads_sleep(context.invoked_subcommand)


app.command()(judging.detect)
app.command()(training.preprocess)
app.command()(training.config)
app.command()(training.train)
app.command()(measuring.evaluate)
app.command()(measuring.calibrate)
app.command("cross-manipulation")(protocols.cross_manipulation)
app.command()(protocols.compare)
app.command("cross-dataset")(protocols.cross_dataset)
app.command()(protocols.reproduce)
app.command()(protocols.analyse)
app.command()(judging.serve)
app.command()(judging.model)
app.command()(judging.export)
app.command()(judging.doctor)
