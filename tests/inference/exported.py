"""The small detector of ``scripted`` and its ONNX form, made once a process because it takes seconds."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from deepfake_ssat import load_detector
from deepfake_ssat.inference.onnx_export import export_onnx
from deepfake_ssat.models.checkpoint import Checkpoint, Decision
from deepfake_ssat.version import __version__
from tests.inference.scripted import write_checkpoint

DECISION = Decision(temperature=2.5)


def checkpoint_file(folder: Path) -> Path:
    """The detector's file; the same bytes every time."""
    return write_checkpoint(folder / "tiny.safetensors", decision=DECISION)


def checkpoint_in(folder: Path) -> Checkpoint:
    """The detector's checkpoint, loaded."""
    return load_detector(checkpoint_file(folder), "cpu").checkpoint


@cache
def exported() -> tuple[bytes, float]:
    """The ONNX file, and its largest difference to torch as the export told it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "tiny.onnx"
        difference = export_onnx(checkpoint_in(Path(folder)), path)
        assert [file.name for file in path.parent.iterdir()] == ["tiny.onnx"]
        return path.read_bytes(), difference


def fill_cache(folder: Path, checkpoint: Checkpoint, data: bytes | None = None) -> Path:
    """Puts the ONNX file, or other bytes, where backend openvino looks for it below XDG_CACHE_HOME."""
    path = folder / "deepfake-ssat" / "onnx" / f"{checkpoint.hash}-{__version__}.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(exported()[0] if data is None else data)
    return path
