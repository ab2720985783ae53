"""The progress of a run: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from deepfake_ssat.training.reporter import Reporter

PLAIN_LINE_SECONDS = 10.0


class TrainingProgress(Callback):
    """Epoch, step, clips a second, loss and the time left of the whole run, validations included."""

    def __init__(self, reporter: Reporter, total_steps: int, clips_per_step: int) -> None:
        self._console = reporter.console
        self._total_steps = total_steps
        self._clips_per_step = clips_per_step
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._first_step = 0
        self._started = self._last_line = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock, at the step that the run goes on from."""
        self._first_step = trainer.global_step
        self._started = self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=self._console)
            self._task = self._bar.add_task("", total=self._total_steps, completed=self._first_step)
            self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar, or prints a line when enough time has passed."""
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            line = self._line(trainer, float(outputs["losses"]["loss"]), now)
            self._bar.update(self._task, completed=trainer.global_step, description=line)
        elif now - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = now
            self._console.print(self._line(trainer, float(outputs["losses"]["loss"]), now), markup=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the bar as it stands."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the terminal back before the error is printed."""
        self._stop()

    def _line(self, trainer: Trainer, loss: float, now: float) -> str:
        step = trainer.global_step
        elapsed, done = max(now - self._started, 1e-9), step - self._first_step
        rate = done * self._clips_per_step / elapsed
        left = timedelta(seconds=round((self._total_steps - step) * elapsed / done)) if done else "?"
        return (
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  step {step}/{self._total_steps}  "
            f"loss {loss:.4f}  {rate:.1f} clips/s  {left} left"
        )

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
