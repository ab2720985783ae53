"""``deepfake-ssat doctor``: whether everything that a verdict needs is here and works."""

from __future__ import annotations

import platform
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from rich.console import Console
from rich.text import Text

from deepfake_ssat.errors import DeepfakeError, install
from deepfake_ssat.version import __version__

ALL_WELL, SOMETHING_MISSING = 0, 1
CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mpeg2video", "mjpeg")
"""What videos of phones, platforms and cameras are coded in."""
PURPOSES = {
    "train": "train, evaluate, calibrate",
    "serve": "the local page",
    "heic": "pictures of iPhones",
    "links": "the videos of web pages",
    "remote": "the videos of object stores, with s3fs or gcsfs",
    "export": "export to ONNX",
    "hub": "weights from and to Hugging Face",
    "wandb": "trainer.logger wandb",
    "mlflow": "trainer.logger mlflow",
    "openvino": "detect --backend openvino",
    "ray": "preprocess, detect and evaluate on a cluster",
    "energy": "electricity and CO₂ of reproduce",
}
"""Of the extras whose names do not say it."""
DEVELOPMENT = {"demo", "dev", "docs", "test"}
"""Extras for work on the package itself."""
REQUIREMENT = re.compile(r"""(?P<package>[\w.-]+).*;.*\bextra == ["'](?P<extra>[\w.-]+)["']""")
MARKS = {"ok": ("ok", "green"), "absent": ("--", "yellow"), "broken": ("no", "red")}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "absent", "broken"]
    """``absent`` is an optional part; ``broken`` is one that a verdict needs."""
    detail: str


def run() -> int:
    """Prints what was found; returns 0, or 1 where something is broken that a verdict needs."""
    console = Console(highlight=False)
    broken = False
    for finding in _findings():
        mark, colour = MARKS[finding.state]
        line = Text.assemble((f"{mark:<3}", colour), f"{finding.name:<14} {finding.detail}")
        console.print(line, soft_wrap=True)
        broken = broken or finding.state == "broken"
    if broken:
        console.print("something that a verdict needs does not work: install deepfake-ssat anew")
    return SOMETHING_MISSING if broken else ALL_WELL


def _findings() -> Iterator[Finding]:
    yield Finding("deepfake-ssat", "ok", f"{__version__}, Python {platform.python_version()}, {sys.platform}")
    for name, look in {
        "torch": _torch,
        "face search": _face_search,
        "video codecs": _codecs,
        "weights": _weights,
    }.items():
        yield _looked_at(name, look)
    for extra, packages in _extras().items():
        purpose = f"for {PURPOSES[extra]}: " if extra in PURPOSES else ""
        missing = [package for package in packages if _version(package) is None]
        if missing:
            detail = f"{purpose}{install(extra)} brings {', '.join(missing)}"
        else:
            detail = purpose + ", ".join(f"{name} {_version(name)}" for name in packages)
        yield Finding(f"[{extra}]", "absent" if missing else "ok", detail)


def _extras() -> dict[str, list[str]]:
    """By extra for users, the packages that it brings, as the installed package itself says."""
    extras: dict[str, list[str]] = defaultdict(list)
    for requirement in requires("deepfake-ssat") or ():
        found = REQUIREMENT.fullmatch(requirement)
        if found and found["extra"] not in DEVELOPMENT:
            extras[found["extra"]].append(found["package"])
    return extras


def _looked_at(name: str, look: Callable[[], str]) -> Finding:
    """A part that does not even import is what this verb is asked about: its error is the finding."""
    try:
        return Finding(name, "ok", look())
    except (DeepfakeError, ImportError, OSError, RuntimeError) as error:
        first_line = str(error).strip().splitlines()[:1]
        return Finding(name, "broken", f"{type(error).__name__}: {first_line[0] if first_line else ''}")


def _torch() -> str:
    import torch

    from deepfake_ssat.inference.device import resolve_device
    from deepfake_ssat.models.precision import inference_dtype

    device = resolve_device("auto")
    precision = str(inference_dtype(device)).removeprefix("torch.")
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    return f"{torch.__version__}; detect uses {device} in {precision}{threads}"


def _face_search() -> str:
    import numpy as np

    from deepfake_ssat.faces.mtcnn import FaceDetector

    FaceDetector().detect([np.zeros((64, 64, 3), np.uint8)])
    return "MTCNN runs"


def _codecs() -> str:
    import av

    missing = [name for name in CODECS if name not in av.codecs_available]
    if missing:
        raise RuntimeError(f"PyAV {av.__version__} cannot decode {', '.join(missing)}")
    return f"PyAV {av.__version__} decodes {', '.join(CODECS)}"


def _weights() -> str:
    from deepfake_ssat.inference.default_weights import default_weights
    from deepfake_ssat.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(default_weights())
    return f"{checkpoint.hash[:12]}, self-test passed"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
