"""Methods on the same pictures, of two classes and of many."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.comparison import compare_methods
from deepfake_ssat.protocols.picture_measures import PictureMeasures
from deepfake_ssat.protocols.runs import JudgedPicture, PictureRun


def picture_run(ranks, seed=0, classes=10, source="out/a", prefix=""):
    return PictureRun(
        source=source,
        seed=seed,
        settings={"name": source},
        scores_from=f"{source}{seed}",
        seen="npz, split test",
        classes=tuple(f"class {number}" for number in range(classes)),
        pictures={
            f"{prefix}{number}": JudgedPicture(f"class {number % classes}", int(rank))
            for number, rank in enumerate(ranks)
        },
    )


def drawn_ranks(accuracy, seed, pictures=200):
    generator = np.random.default_rng(seed)
    return np.where(generator.random(pictures) < accuracy, 1, generator.integers(2, 11, pictures))


def compared(first, second, classes=10):
    return compare_methods({"": {"a": first, "b": second}}, PictureMeasures(classes))


def test_difference_is_mcnemars_exact_test():
    first, second = drawn_ranks(0.8, 1), drawn_ranks(0.7, 2)
    comparison = compared([picture_run(first)], [picture_run(second, source="out/b")])
    top1, top5 = comparison.differences
    only_first = int(np.sum((first == 1) & (second > 1)))
    only_second = int(np.sum((first > 1) & (second == 1)))
    assert top1.found.difference == pytest.approx((only_first - only_second) / 200)
    expected = binomtest(only_first, only_first + only_second).pvalue
    assert top1.found.p_value == pytest.approx(expected, abs=0.015)
    assert top1.found.low < top1.found.difference < top1.found.high
    assert top5.found.difference == pytest.approx(np.mean(first <= 5) - np.mean(second <= 5))


def test_runs_of_a_method_are_judged_by_their_mean():
    ranks = [drawn_ranks(0.8, seed) for seed in (1, 2, 3)]
    runs = [picture_run(one, seed) for seed, one in enumerate(ranks)]
    summary = compared(runs, [picture_run(drawn_ranks(0.1, 4), source="out/b")]).summaries[0]
    accuracies = [np.mean(one == 1) for one in ranks]
    assert summary.values == pytest.approx(accuracies)
    assert summary.estimate.value == pytest.approx(np.mean(accuracies))
    assert summary.deviation == pytest.approx(np.std(accuracies, ddof=1))
    # Three runs' mean varies over pictures as the mean of three independent draws does.
    spread = np.sqrt(np.var(np.mean([one == 1 for one in ranks], axis=0)) / 200)
    assert summary.estimate.high - summary.estimate.low == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_top5_needs_more_than_five_classes():
    assert list(PictureMeasures(5).titles) == ["top1"]
    assert list(PictureMeasures(6).titles) == ["top1", "top5"]


def test_few_pictures_cannot_tell_whatever_the_difference():
    comparison = compared([picture_run([1] * 19)], [picture_run([2] * 19, source="out/b")], classes=2)
    (one,) = comparison.differences
    assert (one.found.difference, one.found.p_value) == (1, None)
    assert one.conclusion == "cannot tell: 19 pictures, 20 are needed"
    fewer = compared([picture_run([1] * 9)], [picture_run([2] * 9, source="out/b")], classes=2)
    assert fewer.summaries[0].estimate.low is None
    assert fewer.summaries[0].estimate.note == "none with fewer than 10 pictures"


def test_other_pictures_and_other_labels_are_refused():
    ranks = drawn_ranks(0.8, 1)
    with pytest.raises(ConfigError, match="no picture in common"):
        compared([picture_run(ranks)], [picture_run(ranks, source="out/b", prefix="val-")])
    other = picture_run(ranks, source="out/b")
    pictures = {**other.pictures, "7": JudgedPicture("class 1", 1)}
    with pytest.raises(ConfigError, match="7 has label class 7 in out/a and class 1 in out/b"):
        compared([picture_run(ranks)], [replace(other, pictures=pictures)])
