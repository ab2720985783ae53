"""Maps a function over tasks in worker processes, of this machine or of a Ray cluster."""

from deepfake_ssat.pool.engine import Engine, in_order, num_cores, open_engine
from deepfake_ssat.pool.processes import map_in_processes
from deepfake_ssat.pool.worker import Outcome

__all__ = ["Engine", "Outcome", "in_order", "map_in_processes", "num_cores", "open_engine"]
