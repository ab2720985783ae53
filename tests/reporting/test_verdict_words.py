"""A verdict in words, from the JSON document that programs read."""

import pytest

from deepfake_ssat.models.decision import FACE_RULES
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.report_facts import policy
from deepfake_ssat.reporting.verdict_words import (
    covered_seconds,
    finding,
    how_often_wrong,
    kind_of,
    known_misses,
    looked_at,
    next_step,
    probability_text,
    standing_out,
)

LIMITS = {
    "false_alarms": {"errors": 1, "videos": 33, "allowed": 0.05, "upper_limit": 0.136},
    "misses": {"errors": 2, "videos": 40, "allowed": 0.05, "upper_limit": 0.149},
}


def document(calibration=None, clips=4, provenance=None):
    return {
        "checkpoint": {
            "uncertain_low": 0.35,
            "uncertain_high": 0.69,
            "calibration": calibration,
            "provenance": provenance or {},
        },
        "settings": {"clips": clips},
    }


def judged(verdict, probability, faces=(0.5,)):
    clips = [
        {
            "track_id": track,
            "start_seconds": 2.0 * track,
            "end_seconds": 2.0 * track + 1,
            "probability": score,
        }
        for track, score in enumerate(faces)
    ]
    return {
        "status": "scored",
        "verdict": verdict,
        "probability": probability,
        "decided_by": max(range(len(faces)), key=lambda track: faces[track]),
        "faces": [{"track_id": track, "probability": score} for track, score in enumerate(faces)],
        "clips": clips,
        "video": {"duration_seconds": 10.0},
    }


UNSCORED = {
    "status": "no_face",
    "verdict": None,
    "probability": None,
    "faces": [],
    "clips": [],
    "video": None,
}


@pytest.mark.parametrize(
    ("probability", "limits", "text"),
    [
        (0.918354, (), "0.92"),
        (None, (), ""),
        (0.0004, (), "<0.01"),
        (0.9996, (), ">0.99"),
        (0.6868, (0.69,), "0.687"),
        (0.69, (0.69,), "0.690000"),
    ],
)
def test_probability_reads_well_and_never_looks_like_certainty_or_like_a_limit(probability, limits, text):
    assert probability_text(probability, limits) == text


def test_finding_names_the_deciding_face_where_there_are_several():
    assert finding(document(), judged("fake", 0.8, (0.2, 0.8))).endswith("Decided by face 1, of 2 faces.")
    assert "Decided" not in finding(document(), judged("fake", 0.8, (0.8,)))
    assert "between 0.35 and 0.69 nothing is claimed" in finding(document(), judged("uncertain", 0.5))


def test_error_of_a_verdict_is_that_of_its_own_side():
    fake = how_often_wrong(document(LIMITS), judged("fake", 0.8))
    assert fake.startswith("Of 33 genuine validation videos 1 was called manipulated (elsewhere up to 14 %")
    real = how_often_wrong(document(LIMITS), judged("real", 0.1))
    assert real.startswith("Of 40 manipulated validation videos 2 were called real (elsewhere up to 15 %")
    both = how_often_wrong(document(LIMITS), judged("uncertain", 0.5))
    assert "33 genuine" in both
    assert "40 manipulated" in both
    assert how_often_wrong(document(), judged("real", 0.1)).startswith("Not known")
    assert how_often_wrong(document(LIMITS), UNSCORED) == ""


def test_error_on_videos_is_not_said_to_be_that_of_a_picture():
    still = {**judged("fake", 0.8), "video": {"is_still": True}}
    said = how_often_wrong(document(LIMITS), still)
    assert said.startswith("On videos, of 33 genuine")
    assert said.endswith("A single picture tells less: its own numbers stand below.")


def test_weights_tell_what_they_miss():
    card = {"model card": {"cannot": "tell good swaps; hear sound"}}
    assert (
        known_misses(document(provenance=card)) == "These weights cannot tell good swaps; cannot hear sound."
    )
    assert known_misses(document()) == ""


def test_next_step_fits_the_verdict():
    assert "face 1 at 2.0 s" in next_step(document(), judged("fake", 0.8, (0.3, 0.8)))
    assert "--clips all" in next_step(document(), judged("uncertain", 0.5))
    assert "--clips all" not in next_step(document(clips="all"), judged("uncertain", 0.5))
    assert "comes from" in next_step(document(), judged("real", 0.1))
    assert "a face is larger" in next_step(document(), UNSCORED)


def test_times_that_overlap_are_looked_at_once():
    clips = [{"start_seconds": start, "end_seconds": start + 2.0} for start in (0.0, 1.0, 5.0)]
    assert covered_seconds({"clips": clips, "video": None}) == 5.0
    # A clip's last frame is seen as long as others.
    assert covered_seconds({"clips": clips, "video": {"fps": 4.0}}) == 5.5
    assert (
        looked_at(judged("fake", 0.8, (0.3, 0.8)), 16)
        == "2 faces in 2 clips of 16 frames: 2.0 of 10.0 seconds."
    )
    assert looked_at(UNSCORED, 16) == ""


def test_one_face_that_differs_from_the_others_is_named():
    text = standing_out(document(), judged("fake", 0.8, (0.1, 0.8, 0.2)))
    assert text == "Face 1 differs from the others: fake at 0.80, where they lie between 0.10 and 0.20."
    assert standing_out(document(), judged("fake", 0.8, (0.1, 0.8))) == ""
    assert standing_out(document(), judged("fake", 0.8, (0.1, 0.8, 0.8, 0.2))) == ""


@pytest.mark.parametrize("rule", FACE_RULES)
def test_every_rule_of_faces_has_its_words_in_the_report(rule):
    said = policy({"settings": {"aggregation": {"clips": "mean", "faces": rule}}})
    assert said.startswith("the mean over a face's clips; the video has the ")


def small(verdict, probability):
    video = judged(verdict, probability, (probability,))
    return {**video, "faces": [{**face, "is_too_small": True} for face in video["faces"]]}


def test_small_faces_alone_are_why_nothing_is_claimed():
    video = small("uncertain", 0.9)
    assert "of faces as small as these the score tells little" in finding(document(), video)
    assert "larger" in next_step(document(), video)
    assert kind_of(video["faces"][0], (0.3, 0.7)) is Verdict.UNCERTAIN
    assert kind_of({"probability": 0.9}, (0.3, 0.7)) is Verdict.FAKE
