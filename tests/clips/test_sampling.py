"""Balanced sampling and the class fraction."""

import numpy as np
import pytest

from deepfake_ssat.clips.sampling import balanced_indices, fake_fraction
from deepfake_ssat.errors import ManifestError

_LABELS = [0] * 18 + [1] * 82


def test_classes_come_equally_often():
    drawn = np.array(_LABELS)[balanced_indices(_LABELS, seed=0, epoch=0)]
    assert (drawn == 0).sum() == (drawn == 1).sum() == 50


def test_odd_numbers_are_shared_to_within_one():
    drawn = np.array([0, 0, 1, 1, 1])[balanced_indices([0, 0, 1, 1, 1], seed=0, epoch=0)]
    assert sorted(np.bincount(drawn)) == [2, 3]


def test_no_item_repeats_before_all_of_its_class_came():
    counts = np.bincount(balanced_indices(_LABELS, seed=0, epoch=3), minlength=100)
    assert set(counts[:18]) == {2, 3}
    assert set(counts[18:]) == {0, 1}


def test_same_arguments_give_the_same_order_and_another_epoch_another():
    assert balanced_indices(_LABELS, 0, 1) == balanced_indices(_LABELS, 0, 1)
    assert balanced_indices(_LABELS, 0, 1) != balanced_indices(_LABELS, 0, 2)
    assert balanced_indices(_LABELS, 0, 1) != balanced_indices(_LABELS, 1, 1)


def test_large_class_is_shown_in_full_over_a_few_epochs():
    seen = {index for epoch in range(12) for index in balanced_indices(_LABELS, 0, epoch)}
    assert seen == set(range(100))


def test_fake_fraction_is_the_part_of_fakes():
    assert fake_fraction(_LABELS) == pytest.approx(0.82)


@pytest.mark.parametrize("labels", [[0, 0], [1], []])
def test_fake_fraction_needs_both_classes(labels):
    with pytest.raises(ManifestError, match="needs both"):
        fake_fraction(labels)
