"""Who trains together: one process alone, those that torchrun started, or those of Slurm's srun."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deepfake_ssat.errors import ConfigError

FIRST_PORT, PORTS = 15000, 17000
"""Below those that Linux gives to outgoing connections."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    local_count: int = 1
    """On this machine."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What torch is to find in its environment to form the group; nothing where it is there already."""

    @property
    def nodes(self) -> int:
        """Machines."""
        return self.count // self.local_count


def started_processes() -> Processes:
    """From the variables of torchrun, else of srun; one process without them.

    Raises ConfigError where several were asked of Slurm, and it does not tell how they find each other.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        rank, count, local_count = (int(os.environ[name]) for name in names)
        return Processes(rank, count, local_count)
    # Of the job alone, and not of a step: srun did not start this process, though the job has room for more.
    asked = os.environ.get("SLURM_NTASKS", "1")
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS")
    if tasks is None and asked != "1":
        raise ConfigError(
            f"SLURM_NTASKS is {asked}, and srun did not start this process: put srun before the command, or "
            "SLURM_NTASKS=1 to train in one process"
        )
    return Processes() if tasks in (None, "1") else _of_step(int(tasks))


def _of_step(tasks: int) -> Processes:
    rank, local_count = int(_variable("SLURM_PROCID")), _tasks_per_node()
    address = os.environ.get("MASTER_ADDR") or _first_host(_variable("SLURM_STEP_NODELIST", "SLURM_NODELIST"))
    # Steps of one job may train beside each other on the same machines.
    number = 10 * int(_variable("SLURM_JOB_ID")) + int(os.environ.get("SLURM_STEP_ID", "0"))
    return Processes(
        rank,
        tasks,
        local_count,
        {
            "RANK": str(rank),
            "WORLD_SIZE": str(tasks),
            "LOCAL_RANK": _variable("SLURM_LOCALID"),
            "GROUP_RANK": _variable("SLURM_NODEID"),
            "MASTER_ADDR": address,
            "MASTER_PORT": os.environ.get("MASTER_PORT") or str(FIRST_PORT + number % PORTS),
        },
    )


def _variable(*names: str) -> str:
    """The first of them that is set."""
    for name in names:
        if name in os.environ:
            return os.environ[name]
    raise ConfigError(
        f"{os.environ['SLURM_STEP_NUM_TASKS']} processes of srun cannot find each other without {names[0]}: "
        "pass the environment on (srun --export=ALL), or start them with torchrun"
    )


def _tasks_per_node() -> int:
    """Slurm writes 4, or 4(x2) for two machines; raises ConfigError where machines have unlike numbers."""
    told = _variable("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
    numbers = {int(part) for part in re.sub(r"\(x\d+\)", "", told).split(",")}
    if len(numbers) > 1:
        raise ConfigError(
            f"SLURM_STEP_TASKS_PER_NODE is {told}, every machine needs as many processes: take srun "
            "--ntasks-per-node"
        )
    return numbers.pop()


def _first_host(nodes: str) -> str:
    """Of Slurm's short form: gpu[003-007,012],cpu1 -> gpu003."""
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", nodes).split(",")[0]
