"""Worker processes: every task has its outcome, whatever happens to the process that did it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from deepfake_ssat.errors import LinkError, VideoError
from deepfake_ssat.interruption import Terminated, sigterm_raises
from deepfake_ssat.pool import Outcome, map_in_processes
from deepfake_ssat.pool.worker import Worker
from tests.pool import tasks

REPOSITORY = Path(__file__).parents[2]


def test_every_task_is_done_once():
    outcomes = list(map_in_processes(tasks.prepare_square, range(7), processes=2))
    assert {outcome.task: outcome.value for outcome in outcomes} == {n: n * n for n in range(7)}


def test_file_that_cannot_be_brought_is_a_failure_of_its_task():
    def bring(url):
        raise LinkError(f"{url}: is not there; check the address")

    outcome = Outcome.of(3, Worker(lambda: bring).answer("s3://bucket/v.mp4"))
    assert outcome == Outcome(3, failure="s3://bucket/v.mp4: is not there; check the address")


def test_no_task_needs_no_process():
    assert list(map_in_processes(tasks.prepare_square, [], processes=2)) == []


def test_killed_process_loses_its_task_only():
    words = ["a", "die", "b", "bug", "c"]
    outcomes = {o.task: o for o in map_in_processes(tasks.prepare_hazards, words, processes=1)}
    assert [outcomes[n].value for n in (0, 2, 4)] == ["a", "b", "c"]
    assert outcomes[1].failure == "the process was killed by signal 9"
    assert outcomes[3].failure == "KeyError: 'x'"
    assert "in suffer" in outcomes[3].traceback


def test_what_the_user_can_correct_ends_the_work():
    with pytest.raises(VideoError, match="disk is full"):
        list(map_in_processes(tasks.prepare_hazards, ["a", "refuse", "b"], processes=1))
    with pytest.raises(VideoError, match="no networks here"):
        list(map_in_processes(tasks.prepare_refusing, ["a"], processes=1))


def test_process_that_cannot_start_ends_the_work_with_its_traceback():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: broken"):
        list(map_in_processes(tasks.prepare_broken, ["a"], processes=1))


def test_signals_wait_in_every_worker_while_it_imports():
    # In a process of its own, which starts multiprocessing's resource tracker with its first worker.
    code = (
        "from deepfake_ssat.pool import map_in_processes\n"
        "from tests.pool.tasks import prepare_held\n"
        "print([outcome.value for outcome in map_in_processes(prepare_held, [0, 1], 2)])"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert said.stdout == "[True, True]\n", said.stderr


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path):
    code = (
        "from deepfake_ssat.pool import map_in_processes\n"
        "from tests.pool.tasks import prepare_sleep\n"
        f"list(map_in_processes(prepare_sleep, [{str(tmp_path)!r}] * 2, 2))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    _wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    _wait_until(lambda: not any(map(_is_running, workers)))


def _is_running(process: int) -> bool:
    """Whether a process still works; a zombie whose new parent does not reap it is over."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        pass
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c_raises")
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_signal_while_a_process_starts_leaves_none(monkeypatch, number, error):
    start = SpawnProcess.start

    def send(self):
        start(self)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(SpawnProcess, "start", send)
    with sigterm_raises(), pytest.raises(error):
        list(map_in_processes(tasks.prepare_square, [1, 2], processes=2))
    assert multiprocessing.active_children() == []


def _wait_until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
