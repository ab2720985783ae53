"""Which videos stand against which, and what their metrics say."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_ssat.evaluation.groups import measure_groups
from deepfake_ssat.records import FAKE, REAL
from tests.reporting.evaluations import drawn_videos, scored_video


def _by_name(groups):
    return {(group.corpus, group.compression, group.manipulation): group for group in groups}


def test_each_manipulation_stands_against_all_genuine_videos():
    videos = drawn_videos(20)
    groups = _by_name(measure_groups(videos, 0.5, seed=0))
    assert list(groups) == [("", "", ""), ("ffpp", "c23", "Deepfakes"), ("ffpp", "c23", "NeuralTextures")]
    assert [(group.num_real, group.num_fake) for group in groups.values()] == [(20, 40), (20, 20), (20, 20)]
    members = [video for video in videos if video.manipulation in ("original", "Deepfakes")]
    expected = roc_auc_score(
        [video.label for video in members], [np.mean([c.probability for c in v.clips]) for v in members]
    )
    assert groups["ffpp", "c23", "Deepfakes"].video["auc"].value == pytest.approx(expected)


def test_clips_are_measured_with_their_videos_label():
    videos = drawn_videos(20)
    clips = [(video.label, clip.probability) for video in videos for clip in video.clips]
    labels, scores = zip(*clips, strict=True)
    (overall, *_) = measure_groups(videos, 0.5, seed=0)
    assert overall.clip["auc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert overall.num_clips == 180


def test_compressions_are_not_mixed_below_the_whole():
    groups = _by_name(measure_groups(drawn_videos(6, compressions=("c23", "c40")), 0.5, seed=0))
    assert list(groups) == [
        ("", "", ""),
        ("ffpp", "c23", ""),
        ("ffpp", "c23", "Deepfakes"),
        ("ffpp", "c23", "NeuralTextures"),
        ("ffpp", "c40", ""),
        ("ffpp", "c40", "Deepfakes"),
        ("ffpp", "c40", "NeuralTextures"),
    ]
    assert groups["ffpp", "c40", "Deepfakes"].num_real == 6


def test_corpora_without_compression_are_groups_of_their_own():
    videos = [
        *drawn_videos(6, manipulations=("Deepfakes",)),
        scored_video("x", FAKE, [0.7], "unknown", "", "dfdc"),
        scored_video("y", REAL, [0.2], "original", "", "dfdc"),
    ]
    groups = _by_name(measure_groups(videos, 0.5, seed=0))
    assert (groups["dfdc", "", "unknown"].num_real, groups["dfdc", "", "unknown"].num_fake) == (1, 1)
    assert groups["", "", ""].num_fake == 7


@pytest.mark.slow
def test_intervals_hold_the_values():
    (overall, *_) = measure_groups(drawn_videos(40), 0.45, seed=0)
    for name, estimate in overall.video.items():
        if estimate.low is not None:
            assert estimate.low < estimate.value < estimate.high, name


def test_genuine_videos_alone_have_accuracy_but_no_ranking():
    videos = [scored_video(f"r{n}", REAL, [0.1 * n]) for n in range(4)]
    (only,) = measure_groups(videos, 0.25, seed=0)
    assert only.video["auc"].value is None
    assert only.video["auc"].note == "needs real and fake videos, has 4 real and 0 fake"
    assert only.video["accuracy_at_half"].value == 1
    assert only.video["accuracy_at_threshold"].value == 0.75
    assert only.video["calibration_error"].note == "needs 10 videos, has 4"


def test_few_genuine_videos_cannot_show_small_rates():
    (overall, *_) = measure_groups(drawn_videos(20), 0.5, seed=0)
    assert overall.video["tpr_at_1_percent_fpr"].note == "needs 100 real videos, has 20"
    assert overall.video["tpr_at_5_percent_fpr"].value is not None


def test_small_classes_have_values_without_intervals():
    (overall, *_) = measure_groups(drawn_videos(4, manipulations=("Deepfakes",)), 0.5, seed=0)
    auc = overall.video["auc"]
    assert auc.value is not None
    assert auc.low is auc.high is None
    assert "fewer than 5" in auc.note


def test_perfect_separation_warns_that_its_interval_has_no_width():
    videos = [scored_video(f"v{n}", int(n >= 6), [0.1 + 0.8 * (n >= 6)]) for n in range(12)]
    (overall, *_) = measure_groups(videos, 0.5, seed=0)
    assert (overall.video["auc"].low, overall.video["auc"].high) == (1, 1)
    assert "too few videos to show the spread" in overall.video["auc"].note


def test_without_threshold_there_is_no_accuracy_at_it():
    (overall, *_) = measure_groups(drawn_videos(6), None, seed=0)
    assert overall.video["accuracy_at_threshold"].value is None
    assert overall.video["balanced_accuracy_at_threshold"].note == "there is no validation threshold"
    assert overall.video["accuracy_at_half"].value is not None


def test_videos_without_label_are_in_no_metric():
    videos = drawn_videos(6)
    with_unlabelled = [*videos, scored_video("u", None, [0.99])]
    assert measure_groups(with_unlabelled, 0.5, seed=0) == measure_groups(videos, 0.5, seed=0)
    (nothing,) = measure_groups(with_unlabelled[-1:], 0.5, seed=0)
    assert (nothing.num_real, nothing.num_fake, nothing.num_clips) == (0, 0, 0)
    assert {estimate.value for estimate in nothing.video.values()} == {None}
    assert all(estimate.note for estimate in nothing.video.values())
