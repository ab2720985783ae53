"""What the verbs share: choices on the command line, and errors in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfake_ssat.errors import DeepfakeError, install
from deepfake_ssat.interruption import Terminated, sigterm_raises
from deepfake_ssat.outputs import room_needed

if TYPE_CHECKING:
    from deepfake_ssat.config import Selection

USAGE_ERROR, INTERRUPTED, TERMINATED = 2, 130, 143
TRAINING_PACKAGES = {"albumentations", "lightning", "scipy", "sklearn", "tensorboard", "timm"}
"""Of the extra ``train``; detect, preprocess and serve do without them."""
TRAINING_VERBS = {"train", "cross-manipulation", "reproduce"}


def let_threads_sleep(verb: str | None) -> None:
    """OpenMP's threads sleep while they wait, in child processes too, unless OMP_WAIT_POLICY says otherwise.

    Those that wait busily take the cores from whoever decodes: on a busy machine of two cores a verdict took
    three times the CPU time, ``evaluate`` four times as long. Not so for trainings, which on quiet cores are
    an eighth slower with sleeping threads. To be called before torch is imported.
    """
    if verb not in TRAINING_VERBS:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Device(str, Enum):
    """Where the networks run; auto takes the GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class PerturbOn(str, Enum):
    """Which pictures a robustness test spoils."""

    clips = "clips"
    videos = "videos"


class Backend(str, Enum):
    """What computes the scores; openvino is faster on CPUs."""

    torch = "torch"
    openvino = "openvino"


class Turn(str, Enum):
    """Degrees, clockwise."""

    none = "0"
    right = "90"
    half = "180"
    left = "270"


class ExportFormat(str, Enum):
    """What other programs read."""

    onnx = "onnx"
    huggingface = "huggingface"


class Order(str, Enum):
    """Which videos come first."""

    name_ = "name"
    newest = "newest"


class Scaling(str, Enum):
    """How logits become probabilities that mean what they say."""

    platt = "platt"
    temperature = "temperature"


class ScoreKind(str, Enum):
    """What scores are that another program gave."""

    fake = "fake"
    real = "real"
    logit = "logit"


class WorkerDevice(str, Enum):
    """Where a worker process runs its networks: there is one a CPU core, so the GPU is never a default."""

    cpu = "cpu"
    cuda = "cuda"


Corpora = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this one; repeatable.")]
Compressions = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this one, such as c23; repeatable.")
]
Manipulations = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this one (genuine stay); repeatable.")
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A file such as configs/*.yaml.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one setting, such as optimizer.batch_size=4; repeatable."
    ),
]
Smoke = Annotated[
    bool, typer.Option("--smoke", help="Made small by its overlay: ends in minutes on two cores.")
]
ClipRule = Annotated[
    str | None,
    typer.Option(
        metavar="mean|median|max", help="From a face's clips to its score; default: the checkpoint's."
    ),
]
FaceRule = Annotated[
    str | None,
    typer.Option(metavar="large|max|mean", help="From a video's faces to its score; else the checkpoint's."),
]
TestSplit = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="train, val or test (default); repeatable.")
]
ValidationSplit = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="train, val (default) or test; repeatable.")
]
Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A file that train wrote.")]
DefaultCheckpoint = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Trained weights; without it the default ones.")
]
NetworksOn = Annotated[Device, typer.Option(help="Where the networks run.")]
Batch = Annotated[int | None, typer.Option(min=1, help="Clips scored at a time; default: by device.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice.")]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Work on a Ray cluster (docs/scale.md): auto, local or HOST:PORT; an extra."
    ),
]
MaxDownload = Annotated[
    float, typer.Option(metavar="MB", min=0.001, help="Refuse to download more from one address.")
]
"""Options of several verbs."""


def selection(
    default_split: str,
    split: list[str] | None,
    compression: list[str] | None,
    corpus: list[str] | None = None,
    manipulation: list[str] | None = None,
) -> Selection:
    """Which clips of manifests a verb takes; where no split is named, those of the default one."""
    from deepfake_ssat.config import Selection

    return Selection(
        splits=tuple(split or [default_split]),
        corpora=tuple(corpus or ()),
        compressions=tuple(compression or ()),
        manipulations=tuple(manipulation or ()),
    )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can cause ends in one line and exit code 2; a bug keeps its traceback.

    SIGTERM ends a verb as Ctrl-C does: what it writes in the end is written.
    """
    try:
        with sigterm_raises(), room_needed("a file"):
            yield
    except DeepfakeError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAINING_PACKAGES:
            raise
        message = f"error: this verb needs {package}: {install('train')}"
        typer.echo(message, err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except Terminated as error:
        typer.echo("terminated", err=True)
        raise typer.Exit(TERMINATED) from error
    except KeyboardInterrupt as error:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from error
