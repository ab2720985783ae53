"""Methods on the same videos: who is compared with whom on what, and what may be concluded."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols import comparison as compared
from deepfake_ssat.protocols.results import JudgedVideo
from deepfake_ssat.protocols.runs import VideoRun, run_of_fold
from deepfake_ssat.protocols.video_measures import VideoMeasures
from deepfake_ssat.reporting.comparison_report import files
from tests.protocols.fold_results import fold_result


def judged_run(strength, seed=0, per_class=60, threshold=0.5, source=None, prefix="ffpp/"):
    """A run whose fakes score higher by so much; videos have the same difficulty in all runs."""
    labels = np.repeat([0, 1], per_class)
    shared = np.random.default_rng(0).normal(0, 0.12, len(labels))
    own = np.random.default_rng([seed, round(100 * strength)]).normal(0, 0.05, len(labels))
    scores = np.clip(0.5 + shared + own + strength * (labels - 0.5), 0, 1)
    names = [f"{prefix}{number}" for number in range(len(labels))]
    return VideoRun(
        source=source or f"out/{strength}_{seed}",
        seed=seed,
        settings={"strength": strength},
        scores_from=f"{strength}/{seed}/{source}",
        manifest_sha256="ab" * 32,
        threshold=threshold,
        videos={
            name: JudgedVideo(name, int(label), float(score))
            for name, label, score in zip(names, labels, scores, strict=True)
        },
    )


def compare_methods(columns):
    return compared.compare_methods(columns, VideoMeasures())


def found(comparison, metric, first, second, column=""):
    return next(
        one
        for one in comparison.differences
        if (one.metric, one.first, one.second, one.column) == (metric, first, second, column)
    )


def test_large_difference_is_real_and_small_one_is_not():
    comparison = compare_methods(
        {"": {"good": [judged_run(0.4)], "same": [judged_run(0.39)], "bad": [judged_run(0.1)]}}
    )
    better = found(comparison, "auc", "good", "bad")
    assert better.conclusion == "good is better"
    assert 0 < better.found.low < better.found.difference < better.found.high
    assert found(comparison, "auc", "good", "same").conclusion == "cannot tell"
    assert found(comparison, "accuracy_at_half", "same", "bad").conclusion == "same is better"
    # Three pairs: the smallest p is raised threefold.
    smallest = min(
        (one for one in comparison.differences if one.metric == "auc"), key=lambda one: one.found.p_value
    )
    assert smallest.adjusted == pytest.approx(3 * smallest.found.p_value)


def test_order_of_the_pair_does_not_matter():
    forth = compare_methods({"": {"a": [judged_run(0.4)], "b": [judged_run(0.1)]}})
    back = compare_methods({"": {"b": [judged_run(0.1)], "a": [judged_run(0.4)]}})
    for metric in ("auc", "accuracy_at_half", "accuracy_at_threshold"):
        one, other = found(forth, metric, "a", "b"), found(back, metric, "b", "a")
        assert one.found.difference == pytest.approx(-other.found.difference)
        assert one.conclusion == other.conclusion == "a is better"


def test_few_videos_cannot_tell_whatever_the_difference():
    comparison = compare_methods(
        {"": {"a": [judged_run(0.9, per_class=6)], "b": [judged_run(0.0, per_class=6)]}}
    )
    one = found(comparison, "auc", "a", "b")
    assert one.found.p_value is None
    assert one.conclusion == "cannot tell: 6 real and 6 fake videos, 10 of each are needed"


def test_seeds_are_mean_and_standard_deviation():
    runs = [judged_run(0.2, seed) for seed in (1, 2, 3)]
    comparison = compare_methods({"": {"a": runs, "b": [judged_run(0.25)]}})
    summary = next(one for one in comparison.summaries if (one.method, one.metric) == ("a", "auc"))
    labels = [video.label for video in runs[0].videos.values()]
    areas = [roc_auc_score(labels, [video.probability for video in run.videos.values()]) for run in runs]
    assert summary.values == pytest.approx(areas)
    assert summary.seeds == (1, 2, 3)
    assert summary.estimate.value == pytest.approx(np.mean(areas))
    assert summary.deviation == pytest.approx(np.std(areas, ddof=1))
    assert summary.estimate.low < summary.estimate.value < summary.estimate.high
    single = next(one for one in comparison.summaries if (one.method, one.metric) == ("b", "auc"))
    assert single.deviation is None
    text = files(comparison)["comparison.md"].decode()
    assert f"{100 * np.mean(areas):.1f} ± {100 * np.std(areas, ddof=1):.1f} [" in text
    assert "one training run each of b" in text


@pytest.mark.slow
def test_holm_counts_all_columns():
    columns = {
        name: {"a": [judged_run(0.3, prefix=name)], "b": [judged_run(0.2, prefix=name)]} for name in "xyzw"
    }
    comparison = compare_methods(columns)
    one = found(comparison, "auc", "a", "b", "x")
    assert one.adjusted == pytest.approx(min(1.0, 4 * one.found.p_value))


def test_only_common_videos_are_compared_and_the_others_counted():
    full, part = judged_run(0.4), judged_run(0.1)
    part = replace(part, videos=dict(list(part.videos.items())[3:]))
    comparison = compare_methods({"": {"a": [full], "b": [part]}})
    assert comparison.columns[0].values == {"num_real": 57, "num_fake": 60}
    assert comparison.columns[0].left_out == 3
    assert "57 real and 60 fake videos, judged by every run; 3 that not all runs judged are left out" in (
        files(comparison)["comparison.md"].decode()
    )


def test_other_videos_and_other_labels_are_refused():
    with pytest.raises(ConfigError, match="0 videos in common"):
        compare_methods({"": {"a": [judged_run(0.4)], "b": [judged_run(0.1, prefix="dfdc/")]}})
    turned = judged_run(0.4)
    videos = {name: replace(video, label=1 - video.label) for name, video in turned.videos.items()}
    with pytest.raises(ConfigError, match=r"has label 0 in out/0\.1_0 and 1 in out/0\.4_0"):
        compare_methods({"": {"a": [judged_run(0.1)], "b": [replace(turned, videos=videos)]}})


def test_method_without_a_threshold_is_compared_at_half_alone():
    comparison = compare_methods({"": {"a": [judged_run(0.4, threshold=None)], "b": [judged_run(0.1)]}})
    assert {one.metric for one in comparison.differences} == {"auc", "accuracy_at_half"}
    summary = next(
        one for one in comparison.summaries if (one.method, one.metric) == ("a", "accuracy_at_threshold")
    )
    assert summary.estimate.value is None


def test_doubts_are_told():
    other = replace(judged_run(0.4), manifest_sha256="cd" * 32)
    comparison = compare_methods({"": {"a": [judged_run(0.4)], "b": [other]}})
    assert any("different manifests" in warning for warning in comparison.warnings)
    assert any("the same checkpoint or file made" in warning for warning in comparison.warnings)


def test_files_say_the_same():
    comparison = compare_methods({"": {"a": [judged_run(0.4)], "b": [judged_run(0.1)]}})
    written = files(comparison)
    lines = list(csv.DictReader(io.StringIO(written["differences.csv"].decode())))
    document = json.loads(written["comparison.json"])
    assert [line["conclusion"] for line in lines] == ["a is better"] * 3
    for line, entry in zip(lines, document["differences"], strict=True):
        assert float(line["difference"]) == entry["difference"]
        assert float(line["p_value_holm"]) == entry["p_value_holm"]
    methods = list(csv.DictReader(io.StringIO(written["methods.csv"].decode())))
    assert [line["method"] for line in methods[:2]] == ["a", "b"]
    assert document["runs"] == [
        {"method": "a", "folder": "out/0.4_0", "seed": 0},
        {"method": "b", "folder": "out/0.1_0", "seed": 0},
    ]
    assert document["videos"] == [{"column": "", "num_real": 60, "num_fake": 60, "left_out": 0}]


def test_trainings_before_the_last_are_differences_of_recipe():
    """Table 8: 100 + 100 epochs of SSAT are not 800 + 50 + 50 of SSL and fine-tuning."""
    common = {"base_learning_rate": 1e-3, "layer_decay": 1.0, "drop_path": 0.0}
    before = {
        "ssat": [{"objective": "ssat", "epochs": 100, **common}],
        "ssl": [
            {"objective": "mae", "epochs": 800, **common, "base_learning_rate": 1.5e-4},
            {
                "objective": "scratch",
                "epochs": 50,
                **common,
                "base_learning_rate": 5e-4,
                "layer_decay": 0.75,
                "drop_path": 0.1,
            },
        ],
    }
    runs = {}
    for name, epochs in (("ssat", 100), ("ssl", 50)):
        fold = fold_result("Deepfakes", settings={"seed": 0, "trainer": {"epochs": epochs}})
        runs[name] = [run_of_fold(replace(fold, facts={"before": before[name]}), name)]
    told = {one.key: one.values for one in compare_methods({"": runs}).recipes}
    assert told["epochs in all"] == {"ssat": (200,), "ssl": (900,)}
    assert told["trainer.epochs"] == {"ssat": (100,), "ssl": (50,)}
    (ssl,) = told["trainings before"]["ssl"]
    assert ssl == (
        "mae, 800 epochs, rate 0.00015, layer decay 1, drop path 0 → "
        "scratch, 50 epochs, rate 0.0005, layer decay 0.75, drop path 0.1"
    )
    without = [run_of_fold(fold_result("Deepfakes"), "older")]
    assert "trainings before" not in without[0].settings
