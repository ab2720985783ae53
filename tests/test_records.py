"""Records print as people read them."""

import json

import numpy as np

from deepfake_ssat.inference.explanation import Explanation
from deepfake_ssat.records import (
    ClipScore,
    Estimate,
    FaceVerdict,
    Status,
    Verdict,
    VideoMetadata,
    VideoVerdict,
)

FACE = FaceVerdict(3, 0.0, 1.0, (1.0, 2.0, 3.0, 4.0), 0.918354, 2)
VERDICT = VideoVerdict(
    "a.mp4",
    Status.SCORED,
    0.918354,
    Verdict.FAKE,
    faces=(FACE,),
    clips=(ClipScore(3, 0.0, 0.6, 0.918354),),
    metadata=VideoMetadata(25.0, 10, 64, 48, 0, "h264", None),
    decided_by=3,
)


def test_choices_print_as_their_words():
    assert f"{Verdict.REAL} {Status.NO_FACE}" == "real no_face"
    assert str(Verdict.FAKE) == "fake"
    assert json.dumps([Verdict.UNCERTAIN]) == '["uncertain"]'
    assert Verdict("real") is Verdict.REAL


def test_verdict_becomes_json_values_at_full_precision_and_back():
    values = VERDICT.to_dict()
    assert json.loads(VERDICT.to_json()) == values
    assert type(values["verdict"]) is str
    assert (values["verdict"], values["probability"]) == ("fake", 0.918354)
    assert values["faces"][0]["box"] == [1.0, 2.0, 3.0, 4.0]
    assert VideoMetadata(**values["metadata"]) == VERDICT.metadata


def test_what_is_no_number_in_json_becomes_null():
    assert Estimate(float("nan"), note="one class").to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "note": "one class",
    }


def test_records_are_short_to_look_at():
    assert repr(VERDICT) == "VideoVerdict('a.mp4': fake 0.918, 1 faces, 1 clips)"
    assert repr(VideoVerdict("b.mp4", Status.NO_FACE)) == "VideoVerdict('b.mp4': no_face, 0 faces, 0 clips)"
    assert repr(FACE) == "FaceVerdict(face 3: 0.918, 2 clips)"
    assert repr(VERDICT.clips[0]) == "ClipScore(face 3, 0.00-0.60 s: 0.918)"
    explanation = Explanation(VERDICT, (), {3: np.zeros((224, 224, 3))}, {})
    assert len(repr(explanation)) < 120
