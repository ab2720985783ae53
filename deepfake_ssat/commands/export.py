"""``deepfake-ssat export``: a checkpoint in, a file that other programs run out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console

from deepfake_ssat.outputs import check_file

ALL_WELL = 0


def run(checkpoint: Path, out: Path, file_format: Literal["onnx"] = "onnx") -> int:
    """Writes the file, checked against torch, and prints what it reads and gives; returns 0.

    Raises DeepfakeError for a checkpoint that is no detector, packages that are not installed, a file that
    cannot be written or computes something else.
    """
    check_file(out, [checkpoint])
    from deepfake_ssat.inference.detector import load_detector
    from deepfake_ssat.inference.onnx_export import export_onnx, metadata

    exporters = {"onnx": export_onnx}
    loaded = load_detector(checkpoint, "cpu").checkpoint
    difference = exporters[file_format](loaded, out)
    console = Console(highlight=False)
    console.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, largest difference to torch {difference:.1e}")
    for name, value in metadata(loaded).items():
        console.print(f"  {name}: {value}", soft_wrap=True, markup=False)
    return ALL_WELL
