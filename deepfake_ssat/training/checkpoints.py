"""After each validation: its row, the best and the last weights, and a picture of reconstructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
from lightning.pytorch import Callback, LightningModule, Trainer

from deepfake_ssat.config import Experiment
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.network import Network
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.examples import Examples
from deepfake_ssat.training.metrics_log import MetricsLog
from deepfake_ssat.training.module import BatchScores, TrainingModule
from deepfake_ssat.training.pictures import SampleCollector, reconstruction_picture
from deepfake_ssat.training.reporter import Reporter
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.sharding import whole_network
from deepfake_ssat.training.validation import ValidationResult, gather, measure


@dataclass(frozen=True)
class Outlet:
    """Where one process writes: the first of them everywhere, the others nowhere."""

    folder: RunFolder
    log: MetricsLog
    reporter: Reporter


class Validations(Callback):
    """Chooses the best weights. To be listed before weight averaging, which swaps the weights back."""

    def __init__(
        self,
        experiment: Experiment,
        examples: Examples,
        samples: SampleCollector | None,
        provenance: dict[str, Any],
        outlet: Outlet | None,
    ) -> None:
        self._experiment = experiment
        self._examples = examples
        self._samples = samples
        self._provenance = provenance
        self._outlet = outlet
        self._batches: list[BatchScores] = []
        self._best_rank: tuple[float, ...] | None = None
        self.best: dict[str, float] = {}
        """The metrics of the best validation so far, with its epoch and step."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The last epoch is validated, whatever the interval."""
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        every = 1 if is_last else self._experiment.trainer.validate_every_epochs
        trainer.check_val_every_n_epoch = every

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the validation before."""
        self._batches = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the scores, and the clips that will be drawn."""
        self._batches.append(outputs)
        if self._samples is not None:
            self._samples.offer(batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures over all processes; the first one writes."""
        assert isinstance(pl_module, TrainingModule)
        result = measure(gather(self._batches), self._examples.val)
        epoch, step = trainer.current_epoch + 1, trainer.global_step
        is_best = self._best_rank is None or result.rank > self._best_rank
        facts = {"epoch": epoch, "step": step, "validation_videos": result.num_videos, **result.metrics}
        if is_best:
            self._best_rank, self.best = result.rank, facts
        network = whole_network(pl_module.model)
        if self._outlet is not None:
            self._write(self._outlet, network, result, facts, is_best)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run compares with."""
        return {"rank": list(self._best_rank or ()), "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the best so far."""
        self._best_rank = tuple(state_dict["rank"]) or None
        self.best = state_dict["best"]

    def _write(
        self,
        outlet: Outlet,
        network: Network,
        result: ValidationResult,
        facts: dict[str, Any],
        is_best: bool,
    ) -> None:
        outlet.log.write(facts["step"], facts["epoch"], result.metrics)
        checkpoint = Checkpoint(
            network,
            network.settings,
            contract=self._examples.contract,
            decision=result.decision,
            metrics=facts,
            provenance={**self._provenance, "epoch": facts["epoch"]},
        )
        save_checkpoint(outlet.folder.last, checkpoint)
        if is_best:
            save_checkpoint(outlet.folder.best, checkpoint)
        every = self._experiment.trainer.keep_every_epochs
        if every is not None and facts["epoch"] % every == 0:
            save_checkpoint(outlet.folder.kept(facts["epoch"]), checkpoint)
        autoencoder, pixels = network.autoencoder(), self._samples and self._samples.samples()
        if autoencoder is not None and pixels is not None:
            device = next(network.parameters()).device
            picture = reconstruction_picture(autoencoder, pixels.to(device), self._experiment.objective)
            _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            write_file(outlet.folder.reconstruction(facts["epoch"]), data.tobytes())
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
        epochs = self._experiment.trainer.epochs
        outlet.reporter.say(f"epoch {facts['epoch']}/{epochs}  {numbers}{'  (best so far)' * is_best}")
