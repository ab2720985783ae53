"""Records print as people read them."""

import json

from deepfake_ssat.records import Status, Verdict


def test_choices_print_as_their_words():
    assert f"{Verdict.REAL} {Status.NO_FACE}" == "real no_face"
    assert str(Verdict.FAKE) == "fake"
    assert json.dumps([Verdict.UNCERTAIN]) == '["uncertain"]'
    assert Verdict("real") is Verdict.REAL
