"""From clips to faces to videos: every rule against a hand calculation."""

import pytest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.decision import AggregationPolicy
from deepfake_ssat.records import ClipScore

SCORES = [ClipScore(track, 0.0, 1.0, p) for track, p in [(3, 0.9), (1, 0.1), (1, 0.3), (3, 0.1), (1, 0.8)]]


def test_video_is_the_highest_mean_over_a_face():
    faces = AggregationPolicy().face_probabilities(SCORES)
    assert list(faces.items()) == [(1, pytest.approx(0.4)), (3, pytest.approx(0.5))]
    assert AggregationPolicy().video_probability(faces.values()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("clips", "faces", "expected"),
    [("median", "max", 0.5), ("max", "max", 0.9), ("max", "mean", 0.85), ("mean", "mean", 0.45)],
)
def test_policy_is_followed(clips, faces, expected):
    policy = AggregationPolicy(clips, faces)
    found = policy.video_probability(policy.face_probabilities(SCORES).values())
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("side", "too_small"), [(79.9, True), (80.0, False)])
def test_small_faces_are_told_by_their_longer_side(side, too_small):
    box = (10.0, 20.0, 10.0 + side / 2, 20.0 + side)
    assert AggregationPolicy().is_too_small(box) is too_small
    for rule in ("max", "mean"):
        assert not AggregationPolicy(faces=rule).is_too_small(box)


def test_in_words():
    large = "mean over a face's clips, max over a video's faces of 80 px and more"
    assert AggregationPolicy().in_words() == large
    assert AggregationPolicy("max", "mean").in_words() == "max over a face's clips, mean over a video's faces"


def test_rules_that_are_not_given_stay():
    policy = AggregationPolicy("median", "mean")
    assert policy.changed(None, None) == policy
    assert policy.changed("max", None) == AggregationPolicy("max", "mean")
    assert policy.changed(None, "max") == AggregationPolicy("median", "max")


def test_unknown_policy_names_the_known_ones():
    with pytest.raises(ConfigError, match="mean, median, max"):
        AggregationPolicy(clips="sum")
