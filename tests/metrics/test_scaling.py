"""Scaling against scikit-learn's logistic regression, a grid, and the aggregation that detect uses."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from deepfake_ssat.metrics import Scaling, VideoLogits, fit_platt, fit_temperature, scaling_loss
from deepfake_ssat.models.decision import CLIP_RULES, FACE_RULES, AggregationPolicy
from deepfake_ssat.records import ClipScore


def one_clip_videos(num_real=40, num_fake=160, shift=1.0, spread=4.0, seed=0):
    """Videos of one clip, so that a video's logit is its clip's."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [num_real, num_fake])
    logits = spread * (2 * labels - 1 + generator.normal(0, 1.3, len(labels))) + shift
    places = np.arange(len(labels))
    return VideoLogits(labels, logits, places, places)


def test_platt_is_logistic_regression_on_soft_targets_with_equal_classes():
    videos = one_clip_videos()
    rows, targets, weights = [], [], []
    for logit, label in zip(videos.logits, videos.labels, strict=True):
        number = int(np.sum(videos.labels == label))
        for target, part in ((label, (number + 1) / (number + 2)), (1 - label, 1 / (number + 2))):
            rows.append([logit])
            targets.append(target)
            weights.append(part / number)
    reference = LogisticRegression(C=1e12, tol=1e-12, max_iter=10_000)
    reference.fit(rows, targets, sample_weight=np.array(weights) * 1000)
    found = fit_platt(videos)
    assert 1 / found.temperature == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert found.bias == pytest.approx(reference.intercept_[0], abs=1e-3)


def test_temperature_is_the_best_of_a_fine_grid():
    videos = one_clip_videos(shift=0.0)
    sure = [41 / 42, 161 / 162]

    def loss(temperature):
        probabilities = expit(videos.logits / temperature)
        parts = []
        for label in (0, 1):
            right = np.where(label, probabilities, 1 - probabilities)[videos.labels == label]
            parts.append(-np.mean(sure[label] * np.log(right) + (1 - sure[label]) * np.log(1 - right)))
        return np.mean(parts)

    grid = np.linspace(1, 20, 4000)
    best = grid[np.argmin([loss(temperature) for temperature in grid])]
    found = fit_temperature(videos)
    assert found.bias == 0.0
    assert found.temperature == pytest.approx(best, abs=0.01)
    assert scaling_loss(videos, found) == pytest.approx(loss(found.temperature), abs=1e-12)


@pytest.mark.slow
def test_true_temperature_and_bias_are_found_again():
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, 40_000)
    labels = (generator.random(40_000) < expit(logits)).astype(int)
    places = np.arange(len(labels))
    found = fit_platt(VideoLogits(labels, 3 * (logits + 0.8), places, places))
    # Classes of one size: the fitted world is the drawn one.
    assert found.temperature == pytest.approx(3, rel=0.03)
    assert found.bias == pytest.approx(-0.8, abs=0.04)


@pytest.mark.parametrize("clip_rule", CLIP_RULES)
@pytest.mark.parametrize("face_rule", FACE_RULES)
def test_videos_are_put_together_as_detect_puts_them(clip_rule, face_rule):
    policy = AggregationPolicy(clip_rule, face_rule)
    generator = np.random.default_rng(2)
    logits, face_starts, video_starts, expected = [], [], [], []
    scaling = Scaling(2.5, -0.3)
    for _ in range(20):
        video_starts.append(len(face_starts))
        scores = []
        for track in range(generator.integers(1, 4)):
            face_starts.append(len(logits))
            clips = generator.normal(0, 4, generator.integers(1, 6))
            logits.extend(clips)
            scores += [ClipScore(track, 0, 0, float(expit(clip / 2.5 - 0.3))) for clip in clips]
        expected.append(policy.video_probability(policy.face_probabilities(scores).values()))
    starts = (np.array(face_starts), np.array(video_starts))
    videos = VideoLogits(np.zeros(20, int), np.array(logits), *starts, clip_rule, face_rule)
    assert videos.probabilities(scaling) == pytest.approx(expected, abs=1e-12)


def test_many_faces_and_clips_are_fitted_as_whole_videos():
    """The highest of several faces is too high before; no clip-wise fit would know."""
    generator = np.random.default_rng(3)
    labels = np.tile([0, 1], 200)
    logits = np.repeat(4 * labels - 2, 6) + generator.normal(0, 2, 2400)
    videos = VideoLogits(labels, logits, np.arange(0, 2400, 2), np.arange(0, 1200, 3))
    found = fit_platt(videos)
    assert found.bias < -0.3
    around = [
        Scaling(found.temperature * factor, found.bias + step)
        for factor in (0.9, 1.0, 1.1)
        for step in (-0.1, 0.0, 0.1)
    ]
    assert scaling_loss(videos, found) == pytest.approx(min(scaling_loss(videos, near) for near in around))


def test_few_videos_that_lie_apart_keep_a_temperature():
    labels, places = np.repeat([0, 1], 5), np.arange(10)
    videos = VideoLogits(labels, np.where(labels, 5.0, -5.0), places, places)
    probabilities = videos.probabilities(fit_platt(videos))
    # Platt's targets for five: 6/7.
    assert probabilities == pytest.approx(np.where(labels, 6 / 7, 1 / 7), abs=1e-4)
