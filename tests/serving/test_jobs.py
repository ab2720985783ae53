import pytest

from deepfake_ssat.serving.jobs import JobState, JobStore


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "jobs.sqlite")


def test_jobs_are_taken_in_the_order_they_came(store):
    for name in ("a", "b", "c"):
        store.add(name, f"{name}.mp4", 1, "0")
    assert [store.claim_next().id for _ in range(3)] == ["a", "b", "c"]
    assert store.claim_next() is None


def test_queued_jobs_know_how_many_are_before_them(store):
    jobs = [store.add(name, name, 1, "0") for name in ("a", "b", "c")]
    assert [store.ahead_of(job) for job in jobs] == [0, 1, 2]


def test_running_job_waits_again_after_a_crash(store):
    store.add("a", "a", 1, "0")
    store.claim_next()
    store.set_progress("a", 0.4)
    assert store.recover() == 1
    assert store.require("a").state is JobState.QUEUED
    assert store.require("a").progress == 0


def test_interrupted_job_waits_behind_the_others(store):
    for name in ("a", "b", "c"):
        store.add(name, name, 1, "0")
    store.claim_next()
    store.recover()
    assert store.ahead_of(store.require("a")) == 2
    assert store.ahead_of(store.require("b")) == 0
    assert [store.claim_next().id for _ in range(3)] == ["b", "c", "a"]


def test_service_that_is_asked_to_stop_may_do_so_many_times(store):
    store.add("a", "a", 1, "0")
    for _ in range(5):
        store.claim_next()
        store.put_back("a")
        assert store.recover() == 0
    assert store.require("a").state is JobState.QUEUED


def test_job_that_brought_the_service_down_three_times_fails(store):
    store.add("a", "a", 1, "0")
    for _ in range(3):
        store.claim_next()
        store.recover()
    assert store.require("a").state is JobState.FAILED
    assert "3 times" in store.require("a").reason


def test_ended_job_keeps_its_reason(store):
    store.add("a", "a", 1, "0")
    store.claim_next()
    store.finish("a", "out of memory")
    job = store.require("a")
    assert (job.state, job.reason) == (JobState.FAILED, "out of memory")
    assert store.finished_before(job.finished + 1) == ["a"]


def test_progress_of_an_ended_job_does_not_move(store):
    store.add("a", "a", 1, "0")
    store.claim_next()
    store.finish("a")
    store.set_progress("a", 0.1)
    assert store.require("a").progress == 1.0
