"""A table of the paper is planned, checked, trained run by run, and reported as far as it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deepfake_ssat.config import FaceClips
from deepfake_ssat.config.paper import PaperTable, find_paper_table, load_paper_table
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.manifest import load_manifest
from deepfake_ssat.protocols.costs import metered
from deepfake_ssat.protocols.made_up import MADE_UP_FOLDER, make_up_data
from deepfake_ssat.protocols.paper_plan import Choice, PlannedTraining, make_plan, recipe, stage_folders
from deepfake_ssat.protocols.paper_results import judged_source, read_results
from deepfake_ssat.protocols.paper_table import PaperReport, paper_report
from deepfake_ssat.protocols.scores_on_test import check_test_split, forget_scores_of_removed
from deepfake_ssat.protocols.table_9 import size_doubts
from deepfake_ssat.training.experiment import train_experiment
from deepfake_ssat.training.memory import keep_freed_memory

SMOKE_EPOCHS = 2


@dataclass(frozen=True)
class Meter:
    """How energy becomes CO₂, and what codecarbon's table of processors may lack."""

    country: str = "USA"
    """Three letters."""
    cpu_watts: float | None = None


@dataclass(frozen=True)
class Reproduction:
    """A table with the trainings that were asked for, in order; each goes on where it was killed."""

    name: str
    table: PaperTable
    choice: Choice
    trainings: tuple[PlannedTraining, ...]
    doubts: tuple[str, ...]
    """Where the data are not the paper's."""

    def run(self, training: PlannedTraining, meter: Meter, console: Console | None = None) -> None:
        """Trains to the end, tells a console of it, and keeps what it cost; a finished one is left alone."""
        if training.folder.finished:
            return
        keep_freed_memory()
        forget_scores_of_removed(training.folder)
        training.folder.root.parent.mkdir(parents=True, exist_ok=True)
        with metered(training.folder, meter.country, meter.cpu_watts):
            train_experiment(training.experiment, training.folder.root, console)

    def report(self) -> PaperReport:
        """What is finished, of these trainings and of others in the folder."""
        return report_of(self.name, self.table, self.choice.out, self.choice.data)


def plan_reproduction(
    name: str,
    data: Path | None,
    out: Path,
    *,
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    rows: Sequence[str] = (),
    variants: Sequence[str] = (),
    changes: Sequence[str] = (),
    smoke: bool = False,
) -> Reproduction:
    """The trainings of a table; with ``smoke``, small ones, on made-up data unless there are others.

    Raises DeepfakeError in one line, before anything is trained, where names, settings, data or folders do
    not fit.
    """
    table = load_paper_table(find_paper_table(name))
    if data is None:
        data = _made_up_data(table, out, smoke)
    usual = SMOKE_EPOCHS if smoke else table.epochs
    choice = Choice(
        data, out, epochs or usual, tuple(seeds), tuple(rows), tuple(variants), tuple(changes), smoke
    )
    trainings = make_plan(table, choice)
    for training in trainings:
        source = training.experiment.data
        manifest = load_manifest(source.manifest).hash if isinstance(source, FaceClips) else None
        training.folder.check(training.experiment, 1, manifest)
    doubts = _check_test_splits(table, choice, trainings)
    return Reproduction(Path(name).stem, table, choice, tuple(trainings), tuple(doubts))


def report_of(name: str, table: PaperTable, out: Path, data: Path | None) -> PaperReport:
    """What the folder holds of a table, also of runs that were copied there from other machines."""
    return paper_report(name, table, read_results(table, out, data))


def _check_test_splits(table: PaperTable, choice: Choice, trainings: Sequence[PlannedTraining]) -> list[str]:
    """Raises DeepfakeError where a row's test split is not there; tells of sizes that are not the paper's."""
    seed, variant = choice.seeds[0], trainings[0].variant
    planned = {training.folder.root: training.experiment for training in trainings}
    doubts: dict[str, None] = {}
    for row in table.rows:
        last = stage_folders(table, choice.out, variant, seed, row.name)[-1].root
        if last not in planned:
            continue
        model = planned[last].model
        source = judged_source(table.data_of(row), planned[last], choice.data)
        check_test_split(row, source, model.image_size)
        if not choice.smoke and not isinstance(source, FaceClips):
            doubts |= dict.fromkeys(size_doubts(source, model.num_classes))
    return list(doubts)


def _made_up_data(table: PaperTable, out: Path, smoke: bool) -> Path:
    if not smoke:
        files = ", ".join(map(str, table.files))
        raise ConfigError(f"--data is missing: give the folder with {files}, or --smoke for made-up data")
    folder = out / MADE_UP_FOLDER
    # A folder may hold several sets, such as the domains of DomainNet.
    experiments = {
        (name, str(experiment.data)): experiment
        for row in table.rows
        for stage, experiment in zip(row.trainings, recipe(table, row, smoke=True), strict=True)
        for name in (stage.data or table.data_of(row)).values()
    }
    for (name, _), experiment in experiments.items():
        make_up_data(experiment, folder / name)
    return folder
