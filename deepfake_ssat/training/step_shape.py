"""How the items of one optimiser step are spread over processes and batches."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_ssat.config import OptimizerSettings


@dataclass(frozen=True)
class StepShape:
    """So many processes, each with batches of so many items, so many of them accumulated."""

    processes: int
    batch_size: int
    accumulate_batches: int

    @classmethod
    def of(cls, settings: OptimizerSettings, processes: int) -> StepShape:
        """As an experiment asks for it."""
        return cls(processes, settings.batch_size, settings.accumulate_batches)

    @property
    def batch_items(self) -> int:
        """Of one batch of all processes."""
        return self.processes * self.batch_size

    @property
    def items(self) -> int:
        """Of a step: the effective batch."""
        return self.batch_items * self.accumulate_batches

    def __str__(self) -> str:
        return (
            f"{self.processes} process(es) x batch_size {self.batch_size} x accumulate_batches "
            f"{self.accumulate_batches}"
        )
