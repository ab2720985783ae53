"""What does the tasks: this machine or a cluster, which is refused at once where it cannot be had."""

import os
import sys

import pytest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.pool import Outcome, in_order, map_in_processes, open_engine
from deepfake_ssat.pool.ray_cluster import Place, Share


def test_without_the_extra_its_name_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    told = r"--ray needs ray: install .* deepfake-ssat\[ray\]"
    with pytest.raises(ConfigError, match=told), open_engine(ray="auto"):
        pass


def test_without_an_address_the_work_stays_on_this_machine():
    with open_engine(3) as engine:
        assert (engine.func, engine.keywords) == (map_in_processes, {"processes": 3})


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("head", "give auto, local, or HOST:PORT"),
        ("ray://head:10001", "give auto, local, or HOST:PORT"),
        ("localhost:1", "localhost:1: nothing answers there"),
    ],
)
def test_address_where_no_cluster_is_is_refused_at_once(address, told):
    with pytest.raises(ConfigError, match=told), open_engine(ray=address):
        pass


def test_outcomes_that_come_early_wait_for_those_before_them():
    early = [Outcome(task, value=task) for task in (2, 0, 1, 4, 3)]
    assert [outcome.task for outcome in in_order(early)] == [0, 1, 2, 3, 4]


def test_as_many_workers_fit_as_threads_and_parts_of_a_gpu_are_there():
    machine = {"CPU": 16.0, "GPU": 2.0}
    assert Share.of("cpu", 1).fits(machine) == 16
    assert Share.of("cpu", 3).fits(machine) == 5
    assert Share.of("cuda", 1).fits(machine) == 8
    assert Share.of("cuda", 1).fits({"CPU": 16.0}) == 0


def test_machine_that_differs_is_named_before_it_judges_anything(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    here = os.getcwd()
    with pytest.raises(
        ConfigError, match=r"node7 of the Ray cluster does not see /no/such/video\.mp4; mount"
    ):
        Place(here, ("/no/such/video.mp4",)).enter()
    with pytest.raises(ConfigError, match=r"node7 of the Ray cluster has .* of 0\.0\.1; install the same"):
        Place(here, (), version="0.0.1").enter()
    monkeypatch.chdir(tmp_path)
    Place(here, (str(tmp_path),)).enter()
    assert os.getcwd() == here
