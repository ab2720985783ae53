import pytest

from deepfake_ssat.aggregate import AggregationPolicy, aggregate_clips
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.records import ClipScore

SCORES = [ClipScore(track, 0.0, 1.0, p) for track, p in [(3, 0.9), (1, 0.1), (1, 0.3), (3, 0.1), (1, 0.8)]]


def test_video_is_the_highest_mean_over_a_face():
    probability, faces = aggregate_clips(SCORES, AggregationPolicy())
    assert faces == ((1, pytest.approx(0.4), 3), (3, pytest.approx(0.5), 2))
    assert probability == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("clips", "faces", "expected"),
    [("median", "max", 0.5), ("max", "max", 0.9), ("max", "mean", 0.85), ("mean", "mean", 0.45)],
)
def test_policy_is_followed(clips, faces, expected):
    assert aggregate_clips(SCORES, AggregationPolicy(clips, faces))[0] == pytest.approx(expected)


def test_video_without_clips_has_no_score():
    with pytest.raises(ValueError, match="no score"):
        aggregate_clips([], AggregationPolicy())


def test_unknown_policy_names_the_known_ones():
    with pytest.raises(ConfigError, match="mean, median, max"):
        AggregationPolicy(clips="sum")
