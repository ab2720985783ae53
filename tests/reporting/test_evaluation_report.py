"""report.json and videos.csv: complete, parseable, nothing that is not a number."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from deepfake_ssat.records import FAKE
from deepfake_ssat.reporting.evaluation_report import report_json, videos_csv
from tests.reporting.evaluations import DROPPED, drawn_videos, make_report, scored_video

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "evaluate_report.md"


def _document(report):
    return json.loads(report_json(report))


def _keys(value):
    if isinstance(value, dict):
        return set(value) | {key for child in value.values() for key in _keys(child)}
    if isinstance(value, list):
        return {key for child in value for key in _keys(child)}
    return set()


def test_report_holds_groups_with_values_and_intervals():
    report = make_report(drawn_videos(20), dropped=(DROPPED,), warnings=("look here",))
    document = _document(report)
    assert document["schema_version"] == "1.1"
    assert document["checkpoint"]["sha256"] == "ab12cd34" * 8
    assert document["threshold"] == {"value": 0.47, "source": "stored in the checkpoint"}
    assert document["counts"] == {
        "videos_scored": 60,
        "videos_unlabelled": 0,
        "videos_dropped": 1,
        "clips_scored": 180,
    }
    group = document["groups"][1]
    assert (group["manipulation"], group["num_real"], group["num_fake"]) == ("Deepfakes", 20, 20)
    assert group["video"]["auc"]["value"] == pytest.approx(report.groups[1].video["auc"].value)
    assert group["clip"]["auc"]["low"] < group["clip"]["auc"]["high"]
    assert document["dropped"][0]["reason"] == "no_face"
    assert document["warnings"] == ["look here"]


def test_what_is_missing_is_null_with_a_note():
    document = _document(make_report([scored_video("f", FAKE, [0.7])], threshold=None))
    assert document["threshold"]["value"] is None
    auc = document["groups"][0]["video"]["auc"]
    assert (auc["value"], auc["low"], auc["high"]) == (None, None, None)
    assert auc["note"]


def test_every_key_of_the_report_is_documented():
    document = _document(make_report(drawn_videos(6), dropped=(DROPPED,)))
    named = set(re.findall(r"`([a-z_0-9]+)`", DOCUMENTATION.read_text()))
    assert _keys(document) - named == set()


def test_videos_table_lists_scored_and_dropped_ones():
    videos = [*drawn_videos(1), scored_video("u", None, [0.5, 0.7])]
    text = videos_csv(make_report(videos, dropped=(DROPPED,))).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["status"] for line in lines] == ["scored"] * 4 + ["no_face"]
    assert lines[3]["label"] == ""
    assert float(lines[3]["probability"]) == pytest.approx(0.6)
    assert lines[3]["clips"] == "2"
    assert (lines[4]["probability"], lines[4]["detail"]) == ("", "no face at all")
