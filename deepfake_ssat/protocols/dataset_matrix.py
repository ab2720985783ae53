"""The record of checkpoints on data sets: an evaluation a cell."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_ssat.records import EvalReport


@dataclass(frozen=True)
class MatrixCell:
    """One checkpoint on one data set."""

    checkpoint: str
    manifest: str
    report: EvalReport

    @property
    def name(self) -> str:
        """How notes call it."""
        return f"{self.checkpoint} on {self.manifest}"


@dataclass(frozen=True)
class DatasetMatrix:
    """Every checkpoint on every data set, row by row."""

    checkpoints: tuple[str, ...]
    manifests: tuple[str, ...]
    cells: tuple[MatrixCell, ...]

    def row(self, checkpoint: str) -> list[MatrixCell]:
        """One checkpoint on every data set."""
        return [cell for cell in self.cells if cell.checkpoint == checkpoint]

    def column(self, manifest: str) -> list[MatrixCell]:
        """Every checkpoint on one data set."""
        return [cell for cell in self.cells if cell.manifest == manifest]
