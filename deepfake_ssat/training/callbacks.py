"""What happens around the steps: epochs begin, losses are written, and a killed run can go on."""

from __future__ import annotations

import os
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from deepfake_ssat.errors import TrainingError
from deepfake_ssat.interruption import SignalWatch, Terminated
from deepfake_ssat.outputs import writing
from deepfake_ssat.training.data import Loaders
from deepfake_ssat.training.metrics_log import MetricsLog
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.states import POSITION_KEY, Position


class EpochStarts(Callback):
    """Tells the loaders which epoch to show before Lightning iterates over them."""

    def __init__(self, loaders: Loaders) -> None:
        self._loaders = loaders

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Not called for an epoch that a resumed run enters half-way: that one was started before."""
        self._loaders.start(trainer.current_epoch)


class TrainingRows(Callback):
    """Writes the losses of every so many optimiser steps: the mean over a step's batches and processes."""

    def __init__(self, log: MetricsLog | None, every_steps: int) -> None:
        self._log = log
        self._every_steps = every_steps
        self._losses: list[dict[str, Tensor]] = []
        self._step = 0
        self._rate = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes up the count of a resumed run."""
        self._step = trainer.global_step

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Notes the rate, before the scheduler moves on to the next step's."""
        self._rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up the batches of a step, and writes a row when the step is complete."""
        self._losses.append(outputs["losses"])
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        batches, self._losses = self._losses, []
        if self._step % self._every_steps:
            return
        names = list(batches[0])
        means = torch.stack([torch.stack([batch[name] for batch in batches]).mean() for name in names])
        means = trainer.strategy.reduce(means, reduce_op="mean")
        if self._log is not None:
            values = dict(zip(names, means.tolist(), strict=True))
            self._log.write(self._step, trainer.current_epoch + 1, {"learning_rate": self._rate, **values})


class ResumeState(Callback):
    """Writes the state that a killed run goes on from, whole or not at all.

    Between epochs, within them every so many optimiser steps, and when a signal asks for the end; what
    follows it is a function of the state alone, so that a resumed run repeats the undisturbed one; with other
    processes it goes on with the items that the epoch has not shown. The state before it stays, unless that
    was found damaged.
    """

    def __init__(self, folder: RunFolder, every_steps: int, batch_items: int) -> None:
        self._file, self._previous = folder.resume, folder.previous
        self._every_steps = every_steps
        self._batch_items = batch_items
        self._step = 0
        state = folder.state()
        self._position = state.position if state else Position()
        self._last_is_good = state is not None and state.file == self._file
        self._signals = SignalWatch()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes up the count of a resumed run; answers signals in place of Lightning, until its teardown."""
        self._step = trainer.global_step
        self._signals.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves after a complete step; the last one of an epoch waits for its validation."""
        complete = trainer.global_step != self._step
        self._step = trainer.global_step
        if not complete or trainer.is_last_batch:
            return
        # All processes stop at the same step.
        stop = trainer.strategy.reduce_boolean_decision(self._signals.received is not None, all=False)
        if stop or self._step % self._every_steps == 0:
            self._save(trainer, trainer.current_epoch, batch_idx + 1)
        if stop:
            raise self._signals.received or Terminated

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A validation is repeated rather than waited for: the state of some steps ago stands."""
        self._signals.stop_waiting()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Its results are written; the state follows."""
        self._signals.start()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves after the validation, where there was one."""
        self._save(trainer, trainer.current_epoch + 1, 0)
        if self._signals.received is not None:
            raise self._signals.received

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds where the loaders have to begin, and the step that rows are kept up to."""
        checkpoint[POSITION_KEY] = list(astuple(self._position))

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Counts the batches of a half-shown epoch anew, before Lightning takes up its count of them."""
        more = self._position.first_batch(self._batch_items) - self._position.batch
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["current"], progress["total"]):
            counts.update({name: count + more for name, count in counts.items()})

    def _save(self, trainer: Trainer, epoch: int, batch: int) -> None:
        _require_finite_weights(trainer, self._position)
        self._position = Position(epoch, batch, trainer.global_step, self._batch_items)
        partial = self._file.with_name(f".{self._file.name}.partial")
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            if self._last_is_good:
                os.replace(self._file, self._previous)
            os.replace(partial, self._file)
            self._last_is_good = True


class StateFiles(TorchCheckpointIO):
    """Writes a state where it belongs: Lightning's own way leads through the machine's temporary folder.

    That may have less room than a state of gigabytes needs, and after a kill it would lie there for ever.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Raises OutputError, and then leaves nothing."""
        file = Path(path)
        try:
            with writing(file), file.open("wb") as opened:
                try:
                    torch.save(checkpoint, opened)
                except RuntimeError as error:
                    # What torch says of its archive hides what the system said of the disk.
                    raise error.__context__ or error from error
        except BaseException:
            file.unlink(missing_ok=True)
            raise


def _require_finite_weights(trainer: Trainer, position: Position) -> None:
    """A state of weights that are none must not take a good one's place."""
    for name, weight in trainer.lightning_module.named_parameters():
        if not torch.isfinite(weight.sum()):
            raise TrainingError(
                f"weight {name.removeprefix('model.')} is not finite after step {trainer.global_step}: "
                f"training diverged after step {position.step}, whose state is kept; lower "
                "optimizer.base_learning_rate or set optimizer.clip_gradient_norm=1.0"
            )
