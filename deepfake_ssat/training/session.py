"""One session of a run: checks the folder, builds the model, trains, and tells how it went."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.hub import local_weights
from deepfake_ssat.models.kinds import build_network, load_initial
from deepfake_ssat.models.precision import bf16_products
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.training.data import load_examples
from deepfake_ssat.training.examples import Examples
from deepfake_ssat.training.hardware import choose_precision, multiplies_in_bf16, training_device
from deepfake_ssat.training.processes import Processes
from deepfake_ssat.training.reporter import Reporter
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.step_shape import StepShape
from deepfake_ssat.training.trackers import require_loggers
from deepfake_ssat.training.trainer import train_model
from deepfake_ssat.version import __version__


def train(
    experiment: Experiment,
    folder: RunFolder,
    processes: Processes,
    reporter: Reporter,
    extend: bool = False,
) -> None:
    """Trains to the last epoch, or says that this was done; every process calls it, the first one writes.

    ``extend`` lets a run that was not finished go on to more epochs than it was started with.
    Raises DeepfakeError in one line where folder, data, weights and model do not fit.
    """
    examples = load_examples(experiment)
    folder.check(experiment, processes.count, examples.manifest_hash, extend)
    is_first = processes.rank == 0
    if folder.finished:
        if is_first:
            folder.remove_states()
            reporter.console.print(f"{folder.root}: this run is finished; its weights are {folder.best}")
        return
    require_loggers(experiment.trainer.logger)
    if is_first:
        folder.begin(experiment, processes.count, examples.manifest_hash)
    if experiment.trainer.threads is not None:
        torch.set_num_threads(experiment.trainer.threads)
    device = training_device(processes.local_count)
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
    wanted = experiment.trainer.precision
    precision, warning = choose_precision(wanted, device)
    in_bf16 = multiplies_in_bf16(wanted, device)
    torch.manual_seed(experiment.seed)
    model = build_network(experiment.model)
    hardware = f"{device}, {precision}{', bf16 products allowed' * in_bf16}"
    lines = _start_lines(experiment, examples, folder, processes, hardware)
    if warning:
        lines.append(f"warning: {warning}")
    state = folder.state()
    if state is not None and state.warning:
        lines.append(f"warning: {state.warning}")
    if experiment.init is not None and state is None:
        lines += load_initial(model, experiment.init)
    if not experiment.objective.reconstructs:
        model.drop_decoder()
    if is_first:
        for line in lines:
            reporter.say(line)
    provenance = _provenance(experiment, examples, processes) | {
        "extensions": folder.extensions,
        "regroupings": folder.regroupings,
    }
    with bf16_products() if in_bf16 else nullcontext():
        best = train_model(
            model, experiment, examples, folder, processes, device, precision, provenance, reporter
        )
    if is_first:
        folder.finish()
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in best.items())
        reporter.say(f"finished; best: {numbers}")
        reporter.say(f"weights: {folder.best}")


def _start_lines(
    experiment: Experiment, examples: Examples, folder: RunFolder, processes: Processes, hardware: str
) -> list[str]:
    """What a reader of train.log should know first."""
    position = folder.position()
    begun = f", going on at epoch {position.epoch + 1}, step {position.step}" if position.step else ""
    unit = "clips" if examples.contract else "pictures"
    return [
        typed_command(),
        f"run folder {folder.root}{begun}",
        f"objective {experiment.objective.name}; {processes.count} process(es) on {hardware}; "
        f"{len(examples.train)} training and {len(examples.val)} validation {unit}",
        *_strategy_notes(experiment, processes),
        *examples.notes,
        *(_regrouping_note(change) for change in folder.regroupings),
    ]


def _strategy_notes(experiment: Experiment, processes: Processes) -> list[str]:
    """Who holds the weights, where they are not each process's own."""
    if experiment.trainer.strategy == "ddp":
        return []
    if processes.count == 1:
        return ["note: trainer.strategy fsdp splits weights among processes; one process has all of them"]
    return [f"weights, gradients and moments are split among {processes.count} processes (FSDP)"]


def _regrouping_note(change: dict[str, int]) -> str:
    """What is not as it would be had the same processes gone on."""
    shape = StepShape(**{name: value for name, value in change.items() if name != "after_step"})
    return (
        f"note: until step {change['after_step']} a step was {shape}; from there it has as many items, and "
        "random draws and statistics by batch are not those of an undisturbed run"
    )


def _provenance(experiment: Experiment, examples: Examples, processes: Processes) -> dict[str, Any]:
    """JSON values that a checkpoint carries: how it came about, and whom it has seen."""
    initial = _initial_provenance(experiment)
    return {
        "command": typed_command(),
        "version": __version__,
        "torch": str(torch.__version__),
        "config": experiment.model_dump(mode="json"),
        "objective": experiment.objective.model_dump(mode="json"),
        "seed": experiment.seed,
        "processes": processes.count,
        "manifest_hash": examples.manifest_hash,
        "before": [*initial.get("before", ()), *_in_brief(initial)],
        "seen": _seen(examples, initial),
    }


def _initial_provenance(experiment: Experiment) -> dict[str, Any]:
    """Of the checkpoint that the run starts from.

    Empty where there is none, and for published weights, which do not tell; those of MAE, VideoMAE and timm
    saw other pictures than faces.
    """
    if experiment.init is None:
        return {}
    try:
        return load_checkpoint(local_weights(experiment.init), decoder=False).provenance
    except CheckpointError:
        return {}


def _in_brief(provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """What tells one training from another: its task, its length, its rates, its data."""
    config = provenance.get("config")
    if config is None:
        return []
    optimizer = config["optimizer"]
    return [
        {
            "objective": config["objective"]["name"],
            "epochs": config["trainer"]["epochs"],
            "base_learning_rate": optimizer["base_learning_rate"],
            "batch_size": optimizer["batch_size"],
            "mask_ratio": config["objective"].get("mask_ratio"),
            "layer_decay": optimizer["layer_decay"],
            "drop_path": config["model"].get("encoder", config["model"]).get("drop_path"),
            "manifest_hash": provenance.get("manifest_hash"),
        }
    ]


def _seen(examples: Examples, initial: dict[str, Any]) -> dict[str, list[str]] | None:
    """The people of the training and validation clips, those of the initial weights included."""
    seen = {split: set(names) for split, names in (examples.seen or {}).items()}
    for split, names in (initial.get("seen") or {}).items():
        seen.setdefault(split, set()).update(names)
    return {split: sorted(names) for split, names in seen.items()} or None
