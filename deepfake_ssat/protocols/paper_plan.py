"""The trainings that a table of the paper asks for: their settings, their folders and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from deepfake_ssat.config import Experiment, Mixture, load_experiment
from deepfake_ssat.config.paper import PaperTable, Stage, TableRow
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training.run_folder import RunFolder

RUNS_FOLDER = "runs"
WARMUP_PART = 0.1
"""Of a training shorter than its recipe: its warm-up is no longer than this part."""
VALIDATIONS_BEFORE = 10
"""A stage that others start from is validated so often in all."""
NO_END = 10**6
"""Epochs under which no warm-up is too long."""


@dataclass(frozen=True)
class Choice:
    """Which runs are wanted, and what they change in all of a table's recipes."""

    data: Path
    """The folder with the table's data."""
    out: Path
    epochs: int
    seeds: tuple[int, ...] = (0,)
    rows: tuple[str, ...] = ()
    """All, where none is named; likewise the variants."""
    variants: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    smoke: bool = False


@dataclass(frozen=True)
class PlannedTraining:
    """One training of a row, under one variant and seed."""

    variant: str
    seed: int
    row: str
    folder: RunFolder
    experiment: Experiment

    @property
    def place(self) -> str:
        """As a person is told of it."""
        return f"{self.variant}, seed {self.seed}, {self.folder.root.name}"


def make_plan(table: PaperTable, choice: Choice) -> list[PlannedTraining]:
    """All rows of a seed before the next seed, so that it may be stopped anywhere and still compares.

    Raises ConfigError in one line for names that the table does not have, settings that do not fit, and two
    rows whose common stage is not the same.
    """
    rows = _named(choice.rows, {row.name: row for row in table.rows}, "--rows")
    variants = _named(choice.variants, table.variants, "--variants")
    planned: dict[Path, PlannedTraining] = {}
    for seed in choice.seeds:
        for variant in variants:
            for row in rows.values():
                for training in _trainings(table, row, choice, variant, seed):
                    other = planned.setdefault(training.folder.root, training)
                    if other.experiment != training.experiment:
                        raise ConfigError(
                            f"{training.folder.root.name}: {other.row} and {training.row} both have this "
                            "stage, with other settings; give one of them another name"
                        )
    return list(planned.values())


def stage_folders(table: PaperTable, out: Path, variant: str, seed: int, row: str) -> list[RunFolder]:
    """The run folders of a row's trainings, in order."""
    names = [stage.name for found in table.rows if found.name == row for stage in found.trainings]
    return [RunFolder(out / RUNS_FOLDER / variant / f"seed{seed}" / name) for name in names]


def recipe(table: PaperTable, row: TableRow, *, smoke: bool = False) -> list[Experiment]:
    """A row's trainings as the table alone says, under its first variant.

    With ``smoke``, on the networks of the overlays.
    """
    variant = next(iter(table.variants))
    return [
        _load(
            stage.config or table.config,
            _settings(table, variant, stage),
            stage.epochs or table.epochs,
            stage.common or number < len(row.trainings),
            smoke=smoke,
        )
        for number, stage in enumerate(row.trainings, start=1)
    ]


def shares(table: PaperTable, row: TableRow, epochs: int) -> list[int]:
    """The epochs of a row's stages where the table's are ``epochs``; raises ConfigError if one has none."""
    whole = [stage.epochs or table.epochs for stage in row.trainings]
    ends = [0, *(end * epochs // table.epochs for end in accumulate(whole))]
    parts = [end - start for start, end in pairwise(ends)]
    if min(parts) < 1:
        raise ConfigError(
            f"--epochs {epochs}: the stages of {row.name} last {', '.join(map(str, whole))} of "
            f"{table.epochs} epochs, and each needs one at least; give more"
        )
    return parts


def _trainings(
    table: PaperTable, row: TableRow, choice: Choice, variant: str, seed: int
) -> Iterator[PlannedTraining]:
    folders = stage_folders(table, choice.out, variant, seed, row.name)
    # Small runs keep no proportions: a stage may be a sixteenth of its row.
    parts = [choice.epochs] * len(row.trainings) if choice.smoke else shares(table, row, choice.epochs)
    for number, (stage, folder, part) in enumerate(zip(row.trainings, folders, parts, strict=True)):
        places = stage.data or table.data_of(row)
        data = [f"{key}={choice.data.resolve() / name}" for key, name in places.items()]
        before = [f"{stage.weights_as}={_initial(folders[number - 1], row)}"] if number else []
        settings = [*_settings(table, variant, stage), *data, f"seed={seed}", *before]
        yield PlannedTraining(
            variant,
            seed,
            row.name,
            folder,
            _load(
                stage.config or table.config,
                settings,
                part,
                stage.common or folder != folders[-1],
                smoke=choice.smoke,
                changes=choice.changes,
            ),
        )


def _initial(before: RunFolder, row: TableRow) -> Path:
    """Of pictures the last weights: the best would be chosen on the test split in the paper's variant.

    Of videos the best ones, chosen on validation videos in every variant.
    """
    return before.last if row.judged is None else before.best


def _settings(table: PaperTable, variant: str, stage: Stage) -> list[str]:
    return [*table.set, *stage.set, *table.variants[variant].set]


def _load(
    config: Path,
    settings: Sequence[str],
    epochs: int,
    goes_on: bool,
    *,
    smoke: bool = False,
    changes: Sequence[str] = (),
) -> Experiment:
    """A stage of so many epochs, from which others go on or not; a warm-up too long for it is cut down."""
    usual = load_experiment(config, [*settings, f"trainer.epochs={NO_END}"], smoke=smoke)
    length = [
        f"trainer.epochs={epochs}",
        f"optimizer.warmup_epochs={min(usual.optimizer.warmup_epochs, WARMUP_PART * epochs):g}",
    ]
    if goes_on:
        length.append(f"trainer.validate_every_epochs={max(epochs // VALIDATIONS_BEFORE, 1)}")
    experiment = load_experiment(config, [*settings, *length, *changes], smoke=smoke)
    if isinstance(experiment.data, Mixture):
        raise ConfigError(f"{config}: data.kind mixture is for training only, a table's rows are judged too")
    return experiment


def _named(wanted: Sequence[str], known: dict, option: str) -> dict:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConfigError(f"{option} {unknown[0]}: the table has {', '.join(known)}")
    return {name: known[name] for name in known if name in wanted} if wanted else known
