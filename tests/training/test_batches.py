import pytest

from deepfake_ssat.training.batches import EpochBatches, own_share, validation_batches
from deepfake_ssat.training.processes import Processes
from deepfake_ssat.training.states import Position


def batches(num_items=10, size=3, seed=0, balanced=False, rank=0, count=1, labels=None, pairs=None):
    labels = labels or [0] * num_items
    return EpochBatches(labels, size, seed, balanced, Processes(rank, count, count), pairs)


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


@pytest.mark.parametrize("paired", [False, True])
def test_other_processes_show_what_an_epoch_has_not_shown(paired):
    pairs = (lambda epoch: PAIRS) if paired else None
    whole = list(batches(26, 2, pairs=pairs))
    for count, size, start in ((2, 3, 1), (3, 1, 2), (1, 6, 1)):
        shown = start * count * size
        position = Position(batch=start, batch_items=count * size)
        assert position.first_batch(2) == shown // 2
        before = [list(batches(26, size, rank=rank, count=count, pairs=pairs)) for rank in range(count)]
        begun = [item for share in before for batch in share[:start] for item in batch]
        after = batches(26, 2, pairs=pairs)
        after.start(0, position.first_batch(2))
        assert sorted(begun + [item for batch in after for item in batch]) == list(range(26))
        assert list(after) == whole[shown // 2 :]


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


@pytest.mark.parametrize(("num_items", "size", "sizes"), [(5, 2, {1, 2}), (8, 4, {2, 3}), (5, 1, {1, 2})])
def test_validation_has_as_many_batches_in_every_process(num_items, size, sizes):
    count = 3 if num_items == 8 else 2
    shares = [validation_batches(num_items, size, Processes(rank, count, count)) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    assert {len(batch) for share in shares for batch in share} == sizes
    for rank, share in enumerate(shares):
        shown = [item for batch in share for item in batch]
        assert shown == list(own_share(num_items, Processes(rank, count, count)))


PAIRS = [(0, 8), (1, 9), (3, 10), (4, 11)]
"""Of 13 items; 2, 5, 6, 7 and 12 stand alone."""


def paired(**options):
    return batches(13, pairs=lambda epoch: PAIRS, **options)


@pytest.mark.parametrize("size", [2, 4, 6])
def test_pairs_come_in_one_batch(size):
    for epoch in range(8):
        sampler = paired(size=size)
        sampler.start(epoch)
        found = list(sampler)
        assert len({item for batch in found for item in batch}) == 13 // size * size
        for pair in PAIRS:
            assert {len(set(pair) & set(batch)) for batch in found} <= {0, 2}


def test_pairs_of_an_epoch_are_asked_for():
    asked = []
    sampler = batches(8, 4, pairs=lambda epoch: asked.append(epoch) or [(0, 4 + epoch)])
    for epoch in (0, 2):
        sampler.start(epoch)
        assert any({0, 4 + epoch} <= set(batch) for batch in sampler)
    assert asked == [0, 2]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_processes_share_whole_pairs_and_as_many_batches(count):
    shares = [
        [item for batch in paired(size=2, rank=rank, count=count) for item in batch] for rank in range(count)
    ]
    assert len({len(share) for share in shares}) == 1
    assert sum(map(len, shares)) == len({item for share in shares for item in share})
    for pair in PAIRS:
        assert all(len(set(pair) & set(share)) in (0, 2) for share in shares)


def test_balanced_sampling_draws_the_items_of_pairs_singly():
    labels = [0] * 4 + [1] * 8
    plain = list(batches(balanced=True, labels=labels))
    assert list(batches(balanced=True, labels=labels, pairs=lambda epoch: [(0, 4)])) == plain
