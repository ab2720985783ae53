"""Random streams of items, and the epoch that worker processes see."""

import multiprocessing

import pytest

from deepfake_ssat.clips.items import SharedEpoch, item_generator


def test_streams_differ_by_seed_epoch_and_index_and_repeat():
    keys = [(seed, epoch, index) for seed in range(3) for epoch in range(3) for index in range(3)]
    draws = {key: item_generator(*key).integers(2**60) for key in keys}
    assert len(set(draws.values())) == len(keys)
    assert all(item_generator(*key).integers(2**60) == draw for key, draw in draws.items())


def _answer(epoch: SharedEpoch, connection) -> None:
    while connection.recv():
        connection.send(epoch.get())


# Python 3.12 and later warn of forks in processes with threads, and torch's DataLoader forks all the same.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_living_worker_sees_the_epoch_set_after_its_start():
    epoch = SharedEpoch()
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.get_context("fork").Process(target=_answer, args=(epoch, there))
    worker.start()
    seen = []
    for number in (0, 5, 6):
        epoch.set(number)
        here.send(True)
        seen.append(here.recv())
    here.send(False)
    worker.join(10)
    assert seen == [0, 5, 6]
    assert worker.exitcode == 0
