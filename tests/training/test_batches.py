import pytest

from deepfake_ssat.training.batches import EpochBatches, own_share
from deepfake_ssat.training.hardware import Processes


def batches(num_items=10, size=3, seed=0, balanced=False, rank=0, count=1, labels=None):
    labels = labels or [0] * num_items
    return EpochBatches(labels, size, seed, balanced, Processes(rank, count, count))


def test_epoch_shows_whole_batches_without_repetition():
    found = list(batches())
    assert [len(batch) for batch in found] == [3, 3, 3]
    assert len({item for batch in found for item in batch}) == 9


def test_items_fewer_than_a_batch_are_one_batch():
    assert [sorted(batch) for batch in batches(num_items=2, size=8)] == [[0, 1]]


def test_epochs_differ_and_repeat_themselves():
    sampler = batches()
    first = list(sampler)
    sampler.start(1)
    second = list(sampler)
    sampler.start(0)
    assert first != second
    assert list(sampler) == first


def test_starting_within_an_epoch_shows_the_rest_of_it():
    sampler = batches(num_items=20)
    sampler.start(4)
    whole = list(sampler)
    sampler.start(4, first_batch=2)
    assert list(sampler) == whole[2:]
    assert len(sampler) == len(whole)


def test_processes_share_an_epoch_without_overlap():
    shares = [{item for batch in batches(16, 2, rank=rank, count=4) for item in batch} for rank in range(4)]
    assert set.union(*shares) == set(range(16))
    assert sum(map(len, shares)) == 16


@pytest.mark.parametrize(("num_items", "count"), [(7, 2), (10, 3), (2, 4)])
def test_every_process_has_the_same_number_of_batches(num_items, count):
    assert len({len(list(batches(num_items, 2, rank=rank, count=count))) for rank in range(count)}) == 1


def test_balanced_sampling_shows_both_classes_equally():
    labels = [1] * 16 + [0] * 4
    shown = [labels[item] for batch in batches(size=5, balanced=True, labels=labels) for item in batch]
    assert shown.count(0) == shown.count(1) == 10


def test_validation_items_are_each_one_process_s():
    shares = [list(own_share(7, Processes(rank, 3, 3))) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(7))
