"""Puts a run together: data, model, callbacks and Lightning's Trainer, and lets it run to its end."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.strategies import DDPStrategy, Strategy
from lightning.pytorch.utilities import CombinedLoader

from deepfake_ssat.config import Experiment, FaceClips, Mixture
from deepfake_ssat.models.network import Network
from deepfake_ssat.training.batches import own_share
from deepfake_ssat.training.callbacks import EpochStarts, ResumeState, StateFiles, TrainingRows
from deepfake_ssat.training.checkpoints import Outlet, Validations
from deepfake_ssat.training.compilation import check_compiler, compile_blocks
from deepfake_ssat.training.data import Loaders, class_weights
from deepfake_ssat.training.examples import Examples
from deepfake_ssat.training.hardware import Precision
from deepfake_ssat.training.memory import recompute_blocks
from deepfake_ssat.training.metrics_log import MetricsLog, columns_for
from deepfake_ssat.training.module import TrainingModule
from deepfake_ssat.training.optim import freeze_stem, freeze_unused, make_schedule
from deepfake_ssat.training.pictures import SampleCollector
from deepfake_ssat.training.processes import Processes
from deepfake_ssat.training.progress import TrainingProgress
from deepfake_ssat.training.reporter import Reporter
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.sharding import ShardedStrategy
from deepfake_ssat.training.states import Position
from deepfake_ssat.training.step_shape import StepShape
from deepfake_ssat.training.trackers import start_trackers

KNOWN_NAGGING = (
    ".*does not have many workers.*",
    ".*smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",
    ".*your dataloader is not resumable.*",
    ".*GPU available but not used.*",
    ".*LeafSpec.*",
    ".*broadcast_buffers. is deprecated.*",
    # Averaged weights are never sharded.
    ".*WeightAveraging callback with a model that overrides.*",
    # The compiler looks at the input of a block that is computed anew.
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed.*",
    # Of a depthwise convolution, along the dimension with one entry.
    "Grad strides do not match bucket view strides.*",
)
"""What Lightning and torch warn of that is meant here, or taken care of."""


def train_model(
    model: Network,
    experiment: Experiment,
    examples: Examples,
    folder: RunFolder,
    processes: Processes,
    device: str,
    precision: Precision,
    provenance: dict[str, Any],
    reporter: Reporter,
) -> dict[str, float]:
    """Trains to the last epoch, from where the folder's resume state stands; returns the best metrics.

    Every process calls it; the first one writes. Raises TrainingError where the loss is not finite.
    """
    state = folder.state()
    position = state.position if state else Position()
    loaders = Loaders(examples, experiment, processes)
    shape = StepShape.of(experiment.optimizer, processes.count)
    loaders.start(position.epoch, position.first_batch(shape.batch_items))
    freeze_unused(model, experiment.objective)
    freeze_stem(model, experiment.optimizer)
    settings = experiment.trainer
    if settings.activation_checkpointing:
        recompute_blocks(model)
    if settings.compile:
        check_compiler(device)
        compile_blocks(model)
    steps_per_epoch = math.ceil(len(loaders.train) / experiment.optimizer.accumulate_batches)
    schedule = make_schedule(experiment.optimizer, shape.items, steps_per_epoch, settings.epochs)
    module = TrainingModule(
        model,
        experiment,
        class_weights(experiment, examples.train.labels),
        schedule,
        len(loaders.train),
        examples.train.videos,
    )
    outlet = None if processes.rank else _outlet(model, experiment, folder, position, reporter)
    validations = Validations(
        experiment, examples, _samples(model, experiment, examples, processes), provenance, outlet
    )
    callbacks = _callbacks(experiment, loaders, validations, folder, shape, outlet)
    if outlet:
        callbacks.append(TrainingProgress(reporter, schedule.total_steps, shape.items))
    try:
        with quiet_lightning():
            trainer = make_trainer(experiment, callbacks, processes, device, precision, folder)
            _fit(trainer, module, loaders, state.file if state else None)
    except (SystemExit, RuntimeError) as error:
        interrupt = _interrupt_behind(error)
        if interrupt is None:
            raise
        if outlet:
            reporter.say(f"stopped; the same command goes on after step {folder.position().step}")
        raise interrupt from None
    finally:
        if outlet:
            outlet.log.close()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return validations.best


def _fit(trainer: Trainer, module: TrainingModule, loaders: Loaders, state: Path | None) -> None:
    """To the last epoch, from a state where there is one; afterwards no worker of the loaders is left."""
    try:
        trainer.fit(module, loaders.train, loaders.val, ckpt_path=state, weights_only=True)
    finally:
        # Where a validation ends early Lightning leaves the training loader's, and Python waits for them.
        CombinedLoader([loaders.train, loaders.val]).reset()


def _interrupt_behind(error: BaseException) -> KeyboardInterrupt | None:
    """What Lightning ends the process for, or fails itself to clear up after while its loaders start."""
    while error.__context__ is not None:
        error = error.__context__
        if isinstance(error, KeyboardInterrupt):
            return error
    return None


def _outlet(
    model: Network, experiment: Experiment, folder: RunFolder, position: Position, reporter: Reporter
) -> Outlet:
    """Where the first process writes; rows after ``position`` are written anew."""
    is_of_videos = isinstance(experiment.data, FaceClips | Mixture)
    columns = columns_for(experiment.objective, is_of_videos, model.settings.num_classes)
    trackers = start_trackers(folder.root, experiment, position.step)
    return Outlet(folder, MetricsLog(folder.metrics, columns, position.step, trackers), reporter)


def _samples(
    model: Network, experiment: Experiment, examples: Examples, processes: Processes
) -> SampleCollector | None:
    """What the first process draws; None where nothing is reconstructed."""
    wanted = experiment.trainer.reconstruction_samples
    if processes.rank or model.autoencoder() is None or not wanted:
        return None
    return SampleCollector(own_share(len(examples.val), processes), wanted)


def _callbacks(
    experiment: Experiment,
    loaders: Loaders,
    validations: Validations,
    folder: RunFolder,
    shape: StepShape,
    outlet: Outlet | None,
) -> list[Callback]:
    """In the order in which they are called: rows, then averaging, then the state that holds both."""
    settings, decay = experiment.trainer, experiment.optimizer.ema_decay
    # Buffers hold fixed tables, or running means already: they are copied, where averaging would round them.
    averaging = [] if decay is None else [EMAWeightAveraging(decay=decay, use_buffers=False)]
    return [
        EpochStarts(loaders),
        TrainingRows(outlet.log if outlet else None, settings.log_every_steps),
        validations,
        *averaging,
        ResumeState(folder, settings.checkpoint_every_steps, shape.batch_items),
    ]


def make_trainer(
    experiment: Experiment,
    callbacks: list[Callback],
    processes: Processes,
    device: str,
    precision: Precision,
    folder: RunFolder,
) -> Trainer:
    """Lightning's, of one process or of those that were started, writing nothing of its own."""
    strategy: Strategy | str = "auto"
    environment: ClusterEnvironment = LightningEnvironment()
    if processes.count > 1:
        backend = "nccl" if device == "cuda" else "gloo"
        if experiment.trainer.strategy == "fsdp":
            strategy = ShardedStrategy(processes.count, backend)
        else:
            # Batch statistics are each process's own until a validation.
            strategy = DDPStrategy(process_group_backend=backend, broadcast_buffers=False)
        os.environ.update(processes.variables)
        environment = TorchElasticEnvironment()
    return Trainer(
        accelerator=device,
        devices=processes.local_count,
        num_nodes=processes.nodes,
        strategy=strategy,
        # Chosen here: Lightning's own look at Slurm's variables refuses some of what srun starts.
        plugins=[environment, StateFiles()],
        precision=precision,
        max_epochs=experiment.trainer.epochs,
        accumulate_grad_batches=experiment.optimizer.accumulate_batches,
        gradient_clip_val=experiment.optimizer.clip_gradient_norm,
        callbacks=callbacks,
        default_root_dir=folder.root,
        use_distributed_sampler=False,
        # Weights that are gathered in inference mode could not be trained afterwards.
        inference_mode=experiment.trainer.strategy != "fsdp",
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's advertisements and ``KNOWN_NAGGING``, as long as it lasts."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in KNOWN_NAGGING:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
