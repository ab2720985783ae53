"""Which faces decide, and when a score bears no claim."""

import pytest

from deepfake_ssat.inference.verdict import scored_verdict
from deepfake_ssat.models.decision import AggregationPolicy, Decision
from deepfake_ssat.records import ClipScore, Verdict, VideoVerdict

LARGE, SMALL = (0.0, 0.0, 150.0, 180.0), (900.0, 300.0, 940.0, 351.7)
POLICY, DECISION = AggregationPolicy(), Decision(0.7, 0.35, 0.7)


def judged(faces, policy=POLICY, decision: Decision | None = DECISION) -> VideoVerdict:
    """``faces``: by track, the box and the probability of two clips."""
    clips = [ClipScore(track, 1.0 * at, at + 0.6, p) for track, (_, p) in faces.items() for at in (0, 4)]
    boxes = {track: box for track, (box, _) in faces.items()}
    return scored_verdict("a.mp4", clips, boxes, policy, decision)


def test_a_small_face_does_not_decide_beside_a_larger_one():
    found = judged({0: (SMALL, 0.76), 1: (LARGE, 0.14)})
    assert (found.probability, found.verdict, found.decided_by) == (0.14, Verdict.REAL, 1)
    assert [face.is_too_small for face in found.faces] == [True, False]
    assert found.warnings == (
        "2 faces were judged; the video's probability is the highest of the larger ones, that of face 1",
        "face 0 is small (51 px): it does not decide beside larger ones",
    )
    # It is shown all the same.
    assert [face.track_id for face in found.faces_by_suspicion] == [1, 0]


def test_a_small_manipulated_face_beside_a_larger_one_is_not_what_decides_a_fake_either():
    assert judged({0: (SMALL, 0.1), 1: (LARGE, 0.9)}).verdict is Verdict.FAKE


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95])
def test_nothing_is_claimed_of_small_faces_alone(probability):
    found = judged({0: (SMALL, probability), 3: (SMALL, 0.01)})
    assert (found.probability, found.verdict, found.decided_by) == (probability, Verdict.UNCERTAIN, 0)
    told = "scores of faces under 80 px tell little, so nothing is claimed"
    assert f"face 0 is small (51 px): {told}" in found.warnings
    assert judged({0: (SMALL, probability)}, decision=None).verdict is None


@pytest.mark.parametrize(("rule", "probability"), [("max", 0.9), ("mean", 0.5)])
def test_by_the_other_rules_size_does_not_matter(rule, probability):
    found = judged({0: (SMALL, 0.9), 1: (LARGE, 0.1)}, AggregationPolicy(faces=rule))
    assert found.probability == pytest.approx(probability)
    assert not any(face.is_too_small for face in found.faces)
    assert judged({0: (SMALL, 0.9)}, AggregationPolicy(faces=rule)).verdict is Verdict.FAKE
    assert "face 0 is small (51 px): its score is less certain" in found.warnings
