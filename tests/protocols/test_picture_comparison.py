"""Methods on the same pictures, of two classes and of many."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from deepfake_ssat import metrics
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
            f"{prefix}{number}": JudgedPicture(
                f"class {number % classes}", int(rank), second(number % classes, rank)
            )
            for number, rank in enumerate(ranks)
        },
    )


def second(label, rank):
    """A probability of class 1 that goes with the rank, of two classes."""
    return 0.8 if (label == 1) == (rank == 1) else 0.2


def named(classes):
    return [f"class {number}" for number in range(classes)]


def drawn_ranks(accuracy, seed, pictures=200):
    generator = np.random.default_rng(seed)
    return np.where(generator.random(pictures) < accuracy, 1, generator.integers(2, 11, pictures))


def compared(first, second, classes=10):
    return compare_methods({"": {"a": first, "b": second}}, PictureMeasures(named(classes)))


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
    assert list(PictureMeasures(named(5)).titles) == ["top1"]
    assert list(PictureMeasures(named(6)).titles) == ["top1", "top5"]


def test_two_classes_have_an_auc_compared_by_delongs_test():
    ranks = [
        np.where(np.random.default_rng(seed).random(200) < part, 1, 2) for seed, part in ((1, 0.9), (2, 0.7))
    ]
    first, other = (
        picture_run(one, classes=2, source=source)
        for one, source in zip(ranks, ("out/a", "out/b"), strict=True)
    )
    comparison = compared([first], [other], classes=2)
    by_metric = {one.metric: one for one in comparison.differences}
    labels = np.arange(200) % 2
    scores = [np.array([picture.second for picture in run.pictures.values()]) for run in (first, other)]
    areas = [roc_auc_score(labels, one) for one in scores]
    assert by_metric["auc"].found == metrics.compare_auc(labels, scores[0], scores[1], 0)
    assert by_metric["auc"].found.difference == pytest.approx(areas[0] - areas[1])
    assert by_metric["auc"].conclusion == "a is better"
    summary = next(one for one in comparison.summaries if (one.method, one.metric) == ("a", "auc"))
    assert summary.estimate.value == pytest.approx(areas[0])
    assert summary.estimate.low < areas[0] < summary.estimate.high


def test_auc_of_one_class_is_none():
    ranks = np.ones(60)
    runs = [picture_run(ranks, classes=2, source=source) for source in ("out/a", "out/b")]
    one_class = [
        replace(run, pictures={name: one for name, one in run.pictures.items() if one.label == "class 1"})
        for run in runs
    ]
    comparison = compared([one_class[0]], [one_class[1]], classes=2)
    assert [one.metric for one in comparison.differences] == ["top1"]
    assert comparison.summaries[-1].estimate.note == "the runs share pictures of one class"


def test_few_pictures_cannot_tell_whatever_the_difference():
    comparison = compared([picture_run([1] * 19)], [picture_run([2] * 19, source="out/b")], classes=2)
    for one in comparison.differences:
        assert (one.found.difference, one.found.p_value) == (1, None)
        assert one.conclusion == "cannot tell: 19 pictures, 20 are needed (AUC: 10 of each class)"
    fewer = compared([picture_run([1] * 9)], [picture_run([2] * 9, source="out/b")], classes=2)
    assert fewer.summaries[0].estimate.low is None
    assert fewer.summaries[0].estimate.note == "none with fewer than 10 pictures"


def test_other_pictures_and_other_labels_are_refused():
    ranks = drawn_ranks(0.8, 1)
    with pytest.raises(ConfigError, match="no picture in common"):
        compared([picture_run(ranks)], [picture_run(ranks, source="out/b", prefix="val-")])
    other = picture_run(ranks, source="out/b")
    pictures = {**other.pictures, "7": JudgedPicture("class 1", 1, 0.8)}
    with pytest.raises(ConfigError, match="7 has label class 7 in out/a and class 1 in out/b"):
        compared([picture_run(ranks)], [replace(other, pictures=pictures)])
