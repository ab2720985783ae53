"""``deepfake-ssat train``: a configuration becomes a run folder with the best and the last weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import DeepfakeError, TrainingError

RUNS_FOLDER = Path("runs")
LOCK_FILE = ".train.lock"


def run(config: Path, changes: Sequence[str] = (), out: Path | None = None, extend: bool = False) -> int:
    """Trains an experiment into a folder (``runs/<name of the config>`` by default); returns 0.

    The same command on the same folder goes on with a run that was killed, and says so of a finished one;
    ``extend`` lets it go on to more epochs.
    Under torchrun every process calls it. Raises DeepfakeError for what the user can correct.
    """
    experiment = load_experiment(config, changes)
    root = out or RUNS_FOLDER / config.stem

    from deepfake_ssat.clips.items import error_without_worker_traceback
    from deepfake_ssat.training.hardware import torchrun_processes
    from deepfake_ssat.training.reporter import Reporter
    from deepfake_ssat.training.run_folder import RunFolder
    from deepfake_ssat.training.session import train

    processes, folder = torchrun_processes(), RunFolder(root)
    try:
        if processes.rank:
            train(experiment, folder, processes, Reporter(None), extend)
            return 0
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / LOCK_FILE, timeout=0):
            train(experiment, folder, processes, Reporter(root / "train.log"), extend)
    except Timeout as error:
        raise TrainingError(
            f"{root}: another run is training there; wait for it, or give another --out"
        ) from error
    except DeepfakeError as error:
        raise error_without_worker_traceback(error) from error
    return 0
