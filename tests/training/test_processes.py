import os

import pytest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training.processes import Processes, started_processes

SRUN = {
    "SLURM_JOB_ID": "4711",
    "SLURM_NTASKS": "16",
    "SLURM_STEP_ID": "3",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
    "SLURM_STEP_NODELIST": "gpu[003-004]",
    "SLURM_NODELIST": "gpu[001-004]",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """The variables of a start, in place of those that the tests themselves have."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_", "MASTER_")):
            monkeypatch.delenv(name)

    def start(variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return started_processes()

    return start


def test_one_process_alone(started):
    assert started({}) == Processes(rank=0, count=1, local_count=1)


def test_processes_and_machines_come_from_torchrun(started):
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    processes = started(SRUN | torchrun)
    assert (processes.rank, processes.count, processes.nodes, processes.variables) == (5, 8, 2, {})


def test_processes_of_srun_find_each_other_on_the_step_s_first_machine(started):
    processes = started(SRUN)
    assert (processes.rank, processes.count, processes.local_count, processes.nodes) == (5, 8, 4, 2)
    assert processes.variables == {
        "RANK": "5",
        "WORLD_SIZE": "8",
        "LOCAL_RANK": "1",
        "GROUP_RANK": "1",
        "MASTER_ADDR": "gpu003",
        "MASTER_PORT": str(15000 + (47110 + 3) % 17000),
    }


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("localhost", "localhost"),
        ("gpu-a,gpu-b", "gpu-a"),
        ("gpu-[01,05-07],cpu1", "gpu-01"),
        ("rack[1-2]n[4-9]", "rack1n4"),
    ],
)
def test_first_machine_of_slurm_s_short_forms(started, nodes, first):
    assert started(SRUN | {"SLURM_STEP_NODELIST": nodes}).variables["MASTER_ADDR"] == first


def test_given_address_and_port_are_taken(started):
    variables = started(SRUN | {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500"}).variables
    assert (variables["MASTER_ADDR"], variables["MASTER_PORT"]) == ("10.0.0.7", "29500")


def test_step_of_one_task_trains_alone_in_a_larger_job(started):
    assert started(SRUN | {"SLURM_STEP_NUM_TASKS": "1"}) == Processes()


def test_job_of_several_tasks_without_srun_is_refused(started):
    batch_script = {name: value for name, value in SRUN.items() if "STEP" not in name}
    with pytest.raises(ConfigError, match=r"SLURM_NTASKS is 16, and srun did not start .* put srun before"):
        started(batch_script)
    assert started({"SLURM_NTASKS": "1"}) == Processes()


def test_unlike_numbers_of_processes_are_refused(started):
    with pytest.raises(ConfigError, match=r"TASKS_PER_NODE is 4,3, .* srun --ntasks-per-node"):
        started(SRUN | {"SLURM_STEP_TASKS_PER_NODE": "4,3"})


def test_missing_variable_is_named(started):
    told = {name: value for name, value in SRUN.items() if name != "SLURM_PROCID"}
    with pytest.raises(ConfigError, match="8 processes of srun cannot find each other without SLURM_PROCID"):
        started(told)
