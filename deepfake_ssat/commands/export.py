"""``deepfake-ssat export``: a checkpoint in, what other programs run out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from rich.console import Console

from deepfake_ssat.outputs import check_file

ALL_WELL = 0


def run(checkpoint: Path, out: Path, file_format: Literal["onnx", "huggingface"] = "onnx") -> int:
    """Writes a file or a folder, checked against torch, and prints what it is; returns 0.

    Raises DeepfakeError for a checkpoint that the format does not have, packages that are not installed, a
    place that cannot be written, or what computes something else.
    """
    EXPORTERS[file_format](checkpoint, out, Console(highlight=False))
    return ALL_WELL


def _export_onnx(checkpoint: Path, out: Path, console: Console) -> None:
    check_file(out, [checkpoint])
    from deepfake_ssat.inference.detector import load_detector
    from deepfake_ssat.inference.onnx_export import export_onnx, metadata

    loaded = load_detector(checkpoint, "cpu").checkpoint
    difference = export_onnx(loaded, out)
    console.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, largest difference to torch {difference:.1e}")
    for name, value in metadata(loaded).items():
        console.print(f"  {name}: {value}", soft_wrap=True, markup=False)


def _export_huggingface(checkpoint: Path, out: Path, console: Console) -> None:
    from deepfake_ssat.inference.huggingface_export import export_huggingface
    from deepfake_ssat.models.checkpoint import load_checkpoint

    difference = export_huggingface(load_checkpoint(checkpoint, decoder=False), out)
    names = ", ".join(sorted(file.name for file in out.iterdir()))
    console.print(
        f"{out}: {names}; largest difference of transformers' logits {difference:.1e}",
        soft_wrap=True,
        markup=False,
    )


EXPORTERS: dict[str, Callable[[Path, Path, Console], None]] = {
    "onnx": _export_onnx,
    "huggingface": _export_huggingface,
}
