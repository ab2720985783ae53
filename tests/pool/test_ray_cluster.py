"""What does the tasks: this machine or a cluster, which is refused at once where it cannot be had."""

import os
import sys

import pytest

from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.pool import Outcome, in_order, map_in_processes, open_engine, ray_cluster
from deepfake_ssat.pool.ray_cluster import Place, Share, map_on_cluster
from tests.pool.scripted_ray import ScriptedRay, WorkerDies


def test_without_the_extra_its_name_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    told = r"--ray needs ray: pip install 'deepfake-ssat\[ray\]'"
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


def prepare_words():
    """A word tells each task what to suffer; ``once`` is healed by its second worker."""
    healed = set()

    def suffer(word):
        if word == "die" or (word == "once" and word not in healed):
            healed.add(word)
            raise WorkerDies
        if word == "refuse":
            raise VideoError("disk is full; free some")
        if word == "bug":
            raise KeyError("x")
        return word

    return suffer


def unprepared():
    raise ZeroDivisionError("broken")


@pytest.fixture
def ray(monkeypatch):
    scripted = ScriptedRay(cpus=2.0)
    monkeypatch.setattr(ray_cluster, "_import_ray", lambda: scripted)
    monkeypatch.setattr(Place, "enter", lambda self: None)
    ray_cluster._worker.cache_clear()
    return scripted


def test_task_whose_worker_died_is_given_again_three_times_at_most(ray):
    words = ["a", "once", "die", "b", "bug", "c"]
    outcomes = {outcome.task: outcome for outcome in map_on_cluster(prepare_words, words, Share())}
    assert [outcomes[task].value for task in (0, 1, 3, 5)] == ["a", "once", "b", "c"]
    assert outcomes[2].failure == "its worker died 3 times (WorkerCrashedError)"
    assert outcomes[4].failure == "KeyError: 'x'"
    assert ray.times == {"a": 1, "once": 2, "die": 3, "b": 1, "bug": 1, "c": 1}


@pytest.mark.parametrize(("workers", "most"), [(None, 4), (1, 1), (3, 3)])
def test_no_more_is_handed_over_than_is_soon_begun(ray, workers, most):
    outcomes = list(map_on_cluster(prepare_words, [f"v{n}" for n in range(20)], Share(), workers))
    assert sorted(outcome.task for outcome in outcomes) == list(range(20))
    assert ray.most_at_once == most


def test_what_the_user_can_correct_ends_the_work_of_all_workers(ray):
    with pytest.raises(VideoError, match="disk is full"):
        list(map_on_cluster(prepare_words, ["a", "b", "c", "refuse", "d"], Share()))
    assert ray.cancelled == 3
    with pytest.raises(RuntimeError, match="ZeroDivisionError: broken"):
        list(map_on_cluster(unprepared, ["a"], Share()))


def test_cluster_without_room_for_a_worker_is_refused(ray):
    with pytest.raises(ConfigError, match="no machine of the Ray cluster has the 3 CPUs that a worker needs"):
        list(map_on_cluster(prepare_words, ["a"], Share(cpus=3)))


def test_worker_that_cannot_import_the_program_is_a_line_with_the_remedy(ray, monkeypatch):
    def missing(self):
        raise ModuleNotFoundError("No module named 'deepfake_ssat'")

    monkeypatch.setattr(Place, "enter", missing)
    with pytest.raises(ConfigError, match=r"could not begin .No module named 'deepfake_ssat'.; install"):
        list(map_on_cluster(prepare_words, ["a"], Share()))
