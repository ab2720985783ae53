"""Each library's own files hold the run's numbers, and nothing is sent anywhere."""

import importlib.util
import socket
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from deepfake_ssat.config import Experiment, load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training.trackers import require_loggers, start_trackers
from tests.training.runs import tiny_values, write_config


def experiment(*loggers):
    return Experiment.model_validate(tiny_values(Path("data"), trainer={"logger": list(loggers)}))


def track(root, rows, *loggers, first_step=0):
    """One session: rows of (step, training loss)."""
    for tracker in start_trackers(root, experiment(*loggers), first_step):
        for step, loss in rows:
            tracker.write(step, {"training/loss": loss})
        tracker.close()


def test_loggers_are_one_or_several_and_tensorboard_unless_told(tmp_path):
    config = write_config(tmp_path / "tiny.yaml", tiny_values(tmp_path))
    assert load_experiment(config).trainer.logger == ("tensorboard",)
    for change, loggers in (("csv", ("csv",)), ("[tensorboard, wandb]", ("tensorboard", "wandb"))):
        assert load_experiment(config, [f"trainer.logger={change}"]).trainer.logger == loggers
    with pytest.raises(ConfigError, match=r"trainer\.logger"):
        load_experiment(config, ["trainer.logger=neptune"])


def test_csv_alone_starts_no_tracker(tmp_path):
    assert start_trackers(tmp_path, experiment("csv"), 0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("logger", "extra"), [("tensorboard", "train"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_absent_library_is_one_line_that_names_the_extra(monkeypatch, logger, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"^trainer\.logger {logger} needs {logger}.*\[{extra}\]'$"):
        require_loggers(["csv", logger])
    require_loggers(["csv"])


def test_tensorboard_has_each_step_once_after_a_kill(tmp_path):
    track(tmp_path, [(1, 0.5), (2, 0.25), (3, 0.2)], "tensorboard")
    track(tmp_path, [(2, 0.25), (3, 0.125)], "tensorboard", first_step=1)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    scalars = [(event.step, event.value) for event in events.Scalars("training/loss")]
    assert scalars == [(1, 0.5), (2, 0.25), (3, 0.125)]


@pytest.fixture
def no_network(monkeypatch):
    """Whoever connects to another machine fails. (To this one wandb does: its writer is a process.)"""
    connect = socket.socket.connect

    def refuse(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise AssertionError(f"connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.slow
def test_wandb_keeps_a_run_a_session_in_the_folder(tmp_path, no_network):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    track(tmp_path, [(1, 0.5), (2, 0.25)], "wandb")
    track(tmp_path, [(2, 0.25)], "wandb", first_step=1)
    files = list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert all(b"training/loss" in file.read_bytes() for file in files)


@pytest.mark.slow
def test_mlflow_keeps_a_run_a_session_in_one_database(tmp_path, no_network, monkeypatch):
    for package in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(package, reason="the extra mlflow is not installed")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of SQLAlchemy, about MLflow.
        track(tmp_path, [(1, 0.5), (2, 0.25)], "mlflow")
        track(tmp_path, [(2, 0.25)], "mlflow", first_step=1)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        rows = database.execute("select step, value from metrics order by timestamp, step").fetchall()
        settings = dict(database.execute("select key, value from params").fetchall())
    assert rows == [(1, 0.5), (2, 0.25), (2, 0.25)]
    assert settings["objective.name"] == "ssat"
