"""An experiment becomes a run folder: one process at a time in it, or all that were started together."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from deepfake_ssat.clips.items import error_without_worker_traceback
from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import DeepfakeError, TrainingError
from deepfake_ssat.outputs import make_folder, room_needed
from deepfake_ssat.training.processes import started_processes
from deepfake_ssat.training.reporter import Reporter
from deepfake_ssat.training.run_folder import RunFolder
from deepfake_ssat.training.session import train

LOCK_FILE = ".train.lock"


def train_experiment(
    experiment: Experiment, root: Path, console: Console | None = None, *, extend: bool = False
) -> RunFolder:
    """Trains to the last epoch, going on where the folder's run was killed; a finished one is left alone.

    ``extend`` lets a run go on to more epochs than were planned when it began. What happens is told on the
    console, by default on none, and in the folder's train.log. Under torchrun or srun every process calls it.
    Raises DeepfakeError for what the user can correct.
    """
    processes, folder = started_processes(), RunFolder(root)
    console = console or Console(quiet=True)
    try:
        if processes.rank:
            train(experiment, folder, processes, Reporter(None, console), extend)
            return folder
        make_folder(root)
        with room_needed(root), FileLock(root / LOCK_FILE, timeout=0):
            train(experiment, folder, processes, Reporter(root / "train.log", console), extend)
    except Timeout as error:
        raise TrainingError(
            f"{root}: another run is training there; wait for it, or give another --out"
        ) from error
    except DeepfakeError as error:
        raise error_without_worker_traceback(error) from error
    return folder
