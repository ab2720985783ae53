"""The folder of one training run: whose it is, where it stands, and what is in it.

``config.yaml`` the resolved experiment, ``run.json`` what else must stay the same, ``metrics.csv``,
``tensorboard/`` or what other loggers write, ``checkpoints/{best,last,epoch005}.safetensors``,
``checkpoints/{last,previous}.ckpt`` to go on from (removed at the end), ``reconstructions/``, ``train.log``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deepfake_ssat.config import Experiment, dump_experiment
from deepfake_ssat.config.training import CHANGES_NO_RESULT
from deepfake_ssat.errors import TrainingError
from deepfake_ssat.outputs import write_file
from deepfake_ssat.text import read_own
from deepfake_ssat.training.states import Position, State, examine
from deepfake_ssat.training.step_shape import StepShape
from deepfake_ssat.version import __version__

REMEDY = "take another --out, or the settings it was started with"
FREE = {"data.manifest", *(f"trainer.{name}" for name in CHANGES_NO_RESULT)}
"""What may change while a run goes on, for it changes no result. (Of a manifest the content is compared.)"""
EPOCHS = "trainer.epochs"
STEP_SHAPE = {"optimizer.batch_size", "optimizer.accumulate_batches"}
"""What may change with the number of processes, as long as a step has as many items."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved experiment."""
        return self.root / "config.yaml"

    @property
    def facts(self) -> Path:
        """What must be the same when the run goes on, and whether it is finished."""
        return self.root / "run.json"

    @property
    def metrics(self) -> Path:
        """One row a log step and a validation."""
        return self.root / "metrics.csv"

    @property
    def best(self) -> Path:
        """The weights of the best validation."""
        return self.root / "checkpoints" / "best.safetensors"

    @property
    def last(self) -> Path:
        """The weights of the last validation."""
        return self.root / "checkpoints" / "last.safetensors"

    def kept(self, epoch: int) -> Path:
        """The weights after an epoch (1, 2, ...), where ``trainer.keep_every_epochs`` has them stay."""
        return self.root / "checkpoints" / f"epoch{epoch:03d}.safetensors"

    @property
    def kept_epochs(self) -> list[int]:
        """The epochs whose weights stayed, in order."""
        names = [file.stem.removeprefix("epoch") for file in self.root.glob("checkpoints/epoch*.safetensors")]
        return sorted(int(name) for name in names if name.isdecimal())

    @property
    def resume(self) -> Path:
        """The state that a killed run goes on from."""
        return self.root / "checkpoints" / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The state before that one, for when that one is damaged."""
        return self.root / "checkpoints" / "previous.ckpt"

    def reconstruction(self, epoch: int) -> Path:
        """The picture drawn after an epoch (1, 2, ...)."""
        return self.root / "reconstructions" / f"epoch{epoch:03d}.png"

    def check(
        self,
        experiment: Experiment,
        num_processes: int,
        manifest_hash: str | None,
        extend: bool = False,
    ) -> None:
        """Raises TrainingError, naming what differs, where the folder belongs to another run or to no run.

        ``extend`` allows more epochs than the run was started with.
        """
        if not self.config.is_file():
            strangers = [path.name for path in self.root.glob("[!.]*")] if self.root.exists() else []
            if strangers:
                raise TrainingError(
                    f"{self.root}: holds {strangers[0]} and no training run; give an empty or new --out"
                )
            return
        before = self._stored_settings()
        now = dict(leaves(yaml.safe_load(dump_experiment(experiment))))
        # After the settings: ``begin`` of another process may write meanwhile, these first.
        facts = self._read_facts()
        for key in before | now:
            if key in FREE | STEP_SHAPE or before.get(key) == now.get(key):
                continue
            if key == EPOCHS and now[key] > before[key]:
                self._require_extendable(before[key], now[key], extend)
                continue
            raise TrainingError(
                f"{self.root}: was started with {key} {before.get(key)}, now it is {now.get(key)}; {REMEDY}"
            )
        if not facts:
            return
        if facts["manifest_hash"] != manifest_hash:
            raise TrainingError(
                f"{self.root}: was started with manifest hash {facts['manifest_hash']}, now it is "
                f"{manifest_hash}; {REMEDY}"
            )
        stored, shape = _last_shape(facts, before), StepShape.of(experiment.optimizer, num_processes)
        if stored.items != shape.items:
            raise TrainingError(
                f"{self.root}: was started with {stored.items} items a step ({stored}), now they are "
                f"{shape.items} ({shape}); set optimizer.batch_size and optimizer.accumulate_batches so that "
                f"they are {stored.items} again, or take another --out"
            )

    def _require_extendable(self, before: int, now: int, extend: bool) -> None:
        """Raises TrainingError, telling how to train on, where more epochs are impossible or not wanted."""
        told = f"{self.root}: was started with {EPOCHS} {before}, now it is {now}; "
        if self.finished:
            raise TrainingError(
                f"{told}the run is finished and its optimiser's state removed: start another one from its "
                f"weights with init={self.last}"
            )
        if not extend:
            raise TrainingError(
                f"{told}--extend goes on with the learning rates of the longer run, which are not those "
                "that it was trained with so far"
            )

    def begin(self, experiment: Experiment, num_processes: int, manifest_hash: str | None) -> None:
        """Writes what ``check`` compares; for one of the processes to do, while others may check already."""
        self.root.mkdir(parents=True, exist_ok=True)
        stored, shape = self._read_facts(), StepShape.of(experiment.optimizer, num_processes)
        facts = {
            "manifest_hash": manifest_hash,
            "version": __version__,
            "finished": False,
            "extensions": [],
            "regroupings": [],
        } | stored
        if stored:
            self._note_changes(facts, experiment, shape)
        writes = [
            partial(self._write_facts, facts | asdict(shape)),
            partial(write_file, self.config, dump_experiment(experiment).encode()),
        ]
        # A new config first: to ``check`` a folder that holds anything without it is no run's.
        for write in writes if stored else reversed(writes):
            write()
        (self.root / "checkpoints").mkdir(exist_ok=True)
        if epochs := self.kept_epochs:
            # Those that an attempt before this one got to.
            done = self.position().epoch
            for epoch in epochs:
                if epoch > done:
                    self.kept(epoch).unlink()

    def _note_changes(self, facts: dict[str, Any], experiment: Experiment, shape: StepShape) -> None:
        """Adds to the facts what changes from where the run stands."""
        settings, step = self._stored_settings(), self.position().step
        if settings[EPOCHS] != experiment.trainer.epochs:
            facts["extensions"].append({"after_step": step, "planned_epochs": settings[EPOCHS]})
        if (before := _last_shape(facts, settings)) != shape:
            facts["regroupings"].append({"after_step": step, **asdict(before)})

    @property
    def extensions(self) -> list[dict[str, int]]:
        """For each time that epochs were added: the step after that, and how many had been planned before."""
        return self._read_facts().get("extensions", [])

    @property
    def regroupings(self) -> list[dict[str, int]]:
        """For each time that other processes went on: the step after that, and how a step was made before."""
        return self._read_facts().get("regroupings", [])

    @property
    def finished(self) -> bool:
        """Whether every epoch has been trained."""
        return bool(self._read_facts().get("finished"))

    def finish(self) -> None:
        """Marks the run as finished and removes what only an unfinished one needs."""
        self._write_facts(self._read_facts() | {"finished": True})
        self.remove_states()

    def remove_states(self) -> None:
        """Of a finished run, again where a kill came between."""
        self.resume.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)

    def state(self) -> State | None:
        """What to go on from: the last state, or the one before where that is damaged; None at the start.

        Raises TrainingError where there are states and none of them is whole.
        """
        last, previous = examine(self.resume), examine(self.previous)
        if isinstance(last, State):
            return self._told(last)
        if isinstance(previous, State):
            why = last.reason if last else "it is missing"
            warning = f"{self.resume} cannot be gone on from ({why}); taking the state before it"
            return self._told(replace(previous, warning=warning))
        for file, damaged in ((self.resume, last), (self.previous, previous)):
            if damaged is not None:
                raise TrainingError(
                    f"{file}: is damaged ({damaged.reason}), and there is no other state to go on from; "
                    "remove it to train from the start"
                )
        return None

    def _told(self, state: State) -> State:
        """The state, with the shape of its batches where it is of a version that could not change them."""
        if state.position.batch_items:
            return state
        settings, facts = self._stored_settings(), self._read_facts()
        first = _last_shape(facts | next(iter(facts.get("regroupings", ())), {}), settings)
        return replace(state, position=replace(state.position, batch_items=first.batch_items))

    def position(self) -> Position:
        """Where the run stands: the start, if there is nothing to go on from."""
        state = self.state()
        return state.position if state else Position()

    def _stored_settings(self) -> dict[str, Any]:
        """By section.key, of the experiment that the folder was last trained with.

        A setting that did not exist then has its default: what the run did is what that does. Where one of
        them is gone since, they are as they were stored, so that a comparison names it.
        """
        stored = read_own(self.config)
        with suppress(ValidationError):
            stored = yaml.safe_load(dump_experiment(Experiment.model_validate(stored)))
        return dict(leaves(stored))

    def _read_facts(self) -> dict[str, Any]:
        return read_own(self.facts, "manifest_hash", "processes") if self.facts.is_file() else {}

    def _write_facts(self, facts: dict[str, Any]) -> None:
        write_file(self.facts, (json.dumps(facts, indent=2) + "\n").encode())


def _last_shape(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> StepShape:
    """Of the session before; versions that could not change it wrote the processes alone into the facts."""
    return StepShape(
        facts["processes"],
        facts.get("batch_size", settings["optimizer.batch_size"]),
        facts.get("accumulate_batches", settings["optimizer.accumulate_batches"]),
    )


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as (section.key, value)."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
