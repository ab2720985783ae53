"""The verbs over several trainings or checkpoints: protocols, comparisons, the paper's tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake_ssat.cli.shared import (
    Changes,
    Compressions,
    Config,
    Corpora,
    Device,
    Manipulations,
    NetworksOn,
    Smoke,
    TestSplit,
    Threads,
    ValidationSplit,
    one_line_errors,
    selection,
)


def cross_manipulation(
    config: Config,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where folds and the table go; run again to go on.")
    ],
    set_: Changes = None,
    smoke: Smoke = False,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this fold, the others run elsewhere; repeatable."),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Which split is judged.")] = "test",
    merge_only: Annotated[
        bool, typer.Option("--merge-only", help="Only make the table of the folds that are in DIR.")
    ] = False,
) -> None:
    """Train on all manipulations but one, in turn.

    Each fold is trained on the other manipulations and the originals. Folds can run on several machines: give
    each --hold-out, copy their folders (DIR/folds/NAME) together, and run --merge-only.
    """
    with one_line_errors():
        from deepfake_ssat.commands.cross_manipulation import run

        raise typer.Exit(
            run(
                config,
                out,
                changes=set_ or [],
                smoke=smoke,
                hold_out=hold_out or [],
                split=split,
                merge_only=merge_only,
            )
        )


def compare(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]DIR...", help="Folders of evaluate, or of cross-manipulation; seeds share a name."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the tables go.")],
) -> None:
    """Say which differences between methods are real.

    On the same videos or pictures: DeLong's and McNemar's tests, Holm's correction. Runs that differ in the
    seed alone become mean and standard deviation. For cross-manipulation, also its table.
    """
    with one_line_errors():
        from deepfake_ssat.commands.compare import run

        raise typer.Exit(run(folders, out))


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
    split: TestSplit = None,
    compression: Compressions = None,
    device: NetworksOn = Device.auto,
    threads: Threads = None,
) -> None:
    """Measure checkpoints on data sets: a matrix."""
    with one_line_errors():
        from deepfake_ssat.commands.cross_dataset import run

        raise typer.Exit(
            run(
                checkpoint,
                manifest,
                out,
                selection=selection("test", split, compression),
                device=device.value,
                threads=threads,
            )
        )


def reproduce(
    table: Annotated[
        str,
        typer.Argument(metavar="TABLE", help="Such as table5, one of configs/paper, or a file like them."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where runs and the table go; run again to go on.")
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder with the table's data sets.")
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--rows", metavar="NAME", help="Only this row; repeatable.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option("--variants", metavar="NAME", help="Only this variant; repeatable.")
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seeds", min=0, metavar="N", help="Train each row with this seed; default: 0; repeatable."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Of a row in all, its stages in proportion; default: the table's."),
    ] = None,
    set_: Changes = None,
    smoke: Annotated[
        bool,
        typer.Option("--smoke", help="Small networks, two epochs, made-up data without --data: minutes."),
    ] = False,
    merge_only: Annotated[
        bool, typer.Option("--merge-only", help="Only make the table of the runs that are in DIR.")
    ] = False,
    country: Annotated[
        str, typer.Option(metavar="CODE", help="Whose electricity, as three letters.")
    ] = "USA",
    cpu_watts: Annotated[
        float | None, typer.Option(min=0.1, help="The processor's rated power, if codecarbon lacks it.")
    ] = None,
) -> None:
    """Run a table of the paper, beside its numbers.

    All rows of a seed come before the next seed. Seeds can run on several machines: copy their folders
    (DIR/runs/VARIANT/seedN) together and run --merge-only.
    """
    with one_line_errors():
        from deepfake_ssat.commands.reproduce import run

        raise typer.Exit(
            run(
                table,
                data,
                out,
                epochs=epochs,
                seeds=seed or [0],
                rows=row or [],
                variants=variant or [],
                changes=set_ or [],
                smoke=smoke,
                merge_only=merge_only,
                country=country,
                cpu_watts=cpu_watts,
            )
        )


def analyse(
    checkpoints: Annotated[
        list[str], typer.Argument(metavar="[NAME=]CHECKPOINT...", help="Files that train wrote.")
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The manifest's folder, or for models of pictures where those they learnt are.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where figures and tables go.")],
    split: ValidationSplit = None,
    corpus: Corpora = None,
    compression: Compressions = None,
    manipulation: Manipulations = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="blocks, hessian or maps; repeatable.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="So many pictures, or faces, of the split.")] = 128,
    show: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Draw maps of this picture or video; four if none; repeatable."),
    ] = None,
    hessian_batches: Annotated[int, typer.Option(min=1, help="Hessians, of 16 samples each.")] = 8,
    hessian_steps: Annotated[
        int, typer.Option(min=5, help="Lanczos steps of each; more settle more eigenvalues.")
    ] = 32,
    device: NetworksOn = Device.auto,
    batch: Annotated[int | None, typer.Option(min=1, help="Samples computed at a time.")] = None,
    threads: Threads = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples, and of Lanczos.")] = 0,
) -> None:
    """Look into what networks learnt, several in one figure.

    Attention received and attention distance, distance and variance of tokens by block, eigenvalues of the
    loss's Hessian, attention maps and Grad-CAM: docs/analysis.md.
    """
    with one_line_errors():
        from deepfake_ssat.commands.analyse import run

        raise typer.Exit(
            run(
                checkpoints,
                data,
                out,
                selection=selection("val", split, compression, corpus, manipulation),
                parts=only or [],
                num_samples=samples,
                show=show or [],
                hessian_batches=hessian_batches,
                hessian_steps=hessian_steps,
                device=device.value,
                batch=batch,
                threads=threads,
                seed=seed,
            )
        )
