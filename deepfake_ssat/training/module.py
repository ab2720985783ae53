"""The LightningModule adapter: an objective over batches, and AdamW with its schedule; no maths of its own.

B batch, C channels, T frames, H W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from deepfake_ssat.clips.mixup import mixup
from deepfake_ssat.config import Experiment, ObjectiveSettings
from deepfake_ssat.errors import TrainingError
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, Losses, build_tasks
from deepfake_ssat.training.optim import Schedule, adamw, head_groups, per_step
from deepfake_ssat.training.sharding import shard

TRAINING_STREAM, VALIDATION_STREAM = 0, 1
MOST_NAMED = 8


@dataclass(frozen=True)
class BatchScores:
    """What validation keeps of one batch: sums of losses over its B items, and the items' scores."""

    items: list[int]
    probabilities: list[list[float]]
    """(B, K); empty where nothing is classified."""
    loss_sums: dict[str, float]


class TrainingModule(LightningModule):
    """One experiment's model under one objective.

    Every random draw of a step (masks, mixup, stochastic depth) comes from (seed, epoch, batch, process), so
    that a resumed run draws what the undisturbed one would have drawn.
    """

    def __init__(
        self,
        model: Network,
        experiment: Experiment,
        class_weights: Tensor | None,
        schedule: Schedule,
        batches_per_epoch: int,
        videos: Sequence[str],
    ) -> None:
        super().__init__()
        self.model = model
        self.tasks = build_tasks(model, experiment.objective)
        self._experiment = experiment
        self._objective = OBJECTIVES[experiment.objective.name]
        self._class_weights = class_weights
        self._schedule = schedule
        self._batches_per_epoch = batches_per_epoch
        self._videos = videos
        self._validation_settings = experiment.objective.model_copy(update={"label_smoothing": 0.0})

    def configure_model(self) -> None:
        """Splits the weights where the strategy brought a mesh of processes to split them over."""
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        """Under ``loss`` what Lightning propagates back, under ``losses`` the batch's own, for people."""
        seeds = self._seeds(TRAINING_STREAM, self.current_epoch, batch_idx)
        # Stochastic depth draws from torch's global stream.
        torch.manual_seed(int(seeds[0]))
        clips = normalize_pixels(batch["pixels"], self.model.settings)
        labels = batch["label"]
        if self._experiment.augmentation.mixup:
            clips, labels = mixup(
                clips,
                labels,
                self.model.settings.num_classes,
                self._experiment.augmentation.mixup,
                np.random.default_rng(seeds),
            )
        generator = torch.Generator().manual_seed(int(seeds[1]))
        losses = self._losses(clips, labels, self._experiment.objective, generator, self._auxiliary(batch))
        if not torch.isfinite(losses.total):
            raise self._diverged(f"the loss became {losses.total.item()}", batch, batch_idx)
        shown = {"loss": losses.total.detach(), **_parts(losses)}
        return {"loss": losses.total * self._share_of_step(batch_idx), "losses": shown}

    def _diverged(self, what: str, batch: dict[str, Any], batch_idx: int) -> TrainingError:
        """Where and on which items."""
        shown: list[int] = batch["video"].tolist()
        names = list(dict.fromkeys(self._videos[video] for video in shown))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return TrainingError(
            f"{what} in epoch {self.current_epoch + 1}, batch {batch_idx + 1}, after step "
            f"{self.global_step}, on {', '.join(names[:MOST_NAMED])}{more}: training diverged; lower "
            "optimizer.base_learning_rate or set optimizer.clip_gradient_norm=1.0 (the last good state and "
            "the weights of earlier validations are kept)"
        )

    def _share_of_step(self, batch_idx: int) -> float:
        """What makes a step the mean over its batches: Lightning divides by the full count even where an
        epoch ends before a step has so many."""
        count = self._experiment.optimizer.accumulate_batches
        first = batch_idx // count * count
        return count / min(count, self._batches_per_epoch - first)

    def optimizer_step(self, *args: Any, **options: Any) -> None:
        """Teachers follow before the state is saved, so that a resumed run has the same ones."""
        progress = self._progress()
        super().optimizer_step(*args, **options)
        self.tasks.after_step(self.model, progress)

    def on_validation_epoch_start(self) -> None:
        """All processes validate with the first one's running statistics: those are saved and resumed."""
        if not torch.distributed.is_available() or not torch.distributed.is_initialized():
            return
        saved = self.state_dict()
        for name, buffer in self.named_buffers():
            if name in saved:
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> BatchScores:
        """The scores of one batch, under the same masks in every epoch."""
        seeds = self._seeds(VALIDATION_STREAM, 0, batch_idx)
        clips = normalize_pixels(batch["pixels"], self.model.settings)
        generator = torch.Generator().manual_seed(int(seeds[0]))
        losses = self._losses(
            clips, batch["label"], self._validation_settings, generator, self._auxiliary(batch)
        )
        probabilities: list[list[float]] = []
        if self._experiment.objective.classifies:
            logits = self.model.classify(clips) if losses.logits is None else losses.logits
            probabilities = logits.float().softmax(dim=1).tolist()
        size = len(clips)
        sums = {name: value.item() * size for name, value in {"loss": losses.total, **_parts(losses)}.items()}
        return BatchScores(batch["item"].tolist(), probabilities, sums)

    def configure_optimizers(self) -> Any:
        """AdamW, its rate set at every step."""
        optimizer = adamw(self.model, self._experiment.optimizer, self._schedule.peak)
        for group in head_groups(self.tasks, self._experiment.optimizer.weight_decay, self._schedule.peak):
            optimizer.add_param_group(group)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": per_step(optimizer, self._schedule), "interval": "step"},
        }

    def _losses(
        self,
        clips: Tensor,
        labels: Tensor,
        settings: ObjectiveSettings,
        generator: torch.Generator,
        auxiliary: Auxiliary,
    ) -> Losses:
        return self._objective(self.model, clips, labels, settings, self._class_weights, generator, auxiliary)

    def _auxiliary(self, batch: dict[str, Any]) -> Auxiliary:
        """The tasks with the views of a batch, where it has some."""
        views: Tensor | None = batch.get("views")
        if views is not None:
            # (B, 2, T, H, W, C): a view after the other.
            count = views.shape[:2]
            views = normalize_pixels(views.flatten(0, 1), self.model.settings).unflatten(0, count)
            views = views.transpose(0, 1)
        return Auxiliary(self.tasks, views, self._progress())

    def _progress(self) -> float:
        """The part of the training that is done."""
        return self.global_step / self._schedule.total_steps

    def _seeds(self, stream: int, epoch: int, batch_idx: int) -> np.ndarray:
        key = [self._experiment.seed, stream, epoch, batch_idx, self.global_rank]
        return np.random.SeedSequence(key).generate_state(2)


def _parts(losses: Losses) -> dict[str, Tensor]:
    """The losses before their weighting, by their names in tables."""
    parts = {
        "classification_loss": losses.classification,
        "reconstruction_loss": losses.reconstruction,
        "view_loss": losses.views,
        **{f"{name}_loss": value for name, value in losses.terms.items()},
    }
    return {name: value.detach() for name, value in parts.items() if value is not None}
