"""Where a run's numbers go beside metrics.csv: TensorBoard, Weights & Biases and MLflow, all of them offline.

Nothing leaves the machine: each writes into the run folder, by its own library. What a kill made a run train
again is there once in TensorBoard; for the other two each session of a run is a run of its own, in a group
named after the folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from deepfake_ssat.config import Experiment, LoggerName
from deepfake_ssat.inference.extras import require_packages
from deepfake_ssat.training.run_folder import leaves

PROJECT = "deepfake-ssat"
PACKAGES: dict[LoggerName, tuple[str, tuple[str, ...]]] = {
    "tensorboard": ("train", ("tensorboard",)),
    "wandb": ("wandb", ("wandb",)),
    "mlflow": ("mlflow", ("mlflow", "sqlalchemy", "alembic")),
}
"""By logger: the extra that brings it, and what that installs."""
MLFLOW_BATCH = 100
"""MLflow takes no more parameters at a time."""


class Tracker(Protocol):
    """One library's writer."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Values after an optimiser step, such as ``training/loss``."""
        ...

    def close(self) -> None:
        """Writes what is still in memory."""
        ...


class TensorBoard:
    """``tensorboard/``, to be shown by ``tensorboard --logdir runs``."""

    def __init__(self, root: Path, experiment: Experiment, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge_step = first_step + 1 if first_step else None
        self._writer = SummaryWriter(str(root / "tensorboard"), purge_step=purge_step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar each."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flushes the file."""
        self._writer.close()


class WeightsAndBiases:
    """``wandb/offline-run-*``, to be sent up by ``wandb sync`` if and when the user wants."""

    def __init__(self, root: Path, experiment: Experiment, first_step: int) -> None:
        os.environ["WANDB_ERROR_REPORTING"] = "false"  # Otherwise importing it sets up reports of its errors.
        import wandb  # pyright: ignore[reportMissingImports]

        # Without console, code, git and machine: those are the library's to collect, and nobody asked.
        settings = wandb.Settings(
            console="off", silent=True, disable_git=True, save_code=False, x_disable_stats=True
        )
        self._run = wandb.init(
            project=PROJECT,
            group=root.resolve().name,
            dir=str(root),
            config=_settings(experiment),
            mode="offline",
            settings=settings,
        )
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One row of its history."""
        self._run.log({"step": step, **values})

    def close(self) -> None:
        """Ends the run and its process."""
        self._run.finish()


class Mlflow:
    """``mlflow.db``, to be shown by ``mlflow ui``; MLFLOW_TRACKING_URI names another store, for many runs."""

    def __init__(self, root: Path, experiment: Experiment, first_step: int) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # Otherwise it tells a server that it is used.
        import mlflow  # pyright: ignore[reportMissingImports]

        # MLflow refuses its store of plain files since version 3; SQLite is what it recommends instead.
        store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{root.resolve()}/mlflow.db")
        self._client = mlflow.MlflowClient(tracking_uri=store)
        known = self._client.get_experiment_by_name(PROJECT)
        in_experiment = known.experiment_id if known else self._client.create_experiment(PROJECT)
        group = root.resolve().name
        run = self._client.create_run(in_experiment, run_name=group, tags={"group": group})
        self._id = run.info.run_id
        self._metric = mlflow.entities.Metric
        params = [mlflow.entities.Param(key, str(value)) for key, value in _settings(experiment).items()]
        for start in range(0, len(params), MLFLOW_BATCH):
            self._client.log_batch(self._id, params=params[start : start + MLFLOW_BATCH])

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """All of a row in one transaction."""
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics)

    def close(self) -> None:
        """Marks the run as ended."""
        self._client.set_terminated(self._id)


TRACKERS: dict[LoggerName, Callable[[Path, Experiment, int], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": Mlflow,
}


def require_loggers(names: Sequence[LoggerName]) -> None:
    """Raises ConfigError, naming the extra, where the library of a logger is not installed."""
    for name in names:
        if name in PACKAGES:
            require_packages(f"trainer.logger {name}", *PACKAGES[name])


def start_trackers(root: Path, experiment: Experiment, first_step: int) -> list[Tracker]:
    """Those that the experiment asks for, for a run that goes on after ``first_step``."""
    wanted = experiment.trainer.logger
    return [start(root, experiment, first_step) for name, start in TRACKERS.items() if name in wanted]


def _settings(experiment: Experiment) -> dict[str, Any]:
    """By section.key."""
    return dict(leaves(experiment.model_dump(mode="json")))
