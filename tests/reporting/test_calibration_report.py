"""A calibration's files agree with each other, and few videos are owned up to."""

import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from deepfake_ssat.calibration.report import CalibrationReport
from deepfake_ssat.models.decision import Calibration, Decision, ErrorLimit
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.calibration_report import files, notes
from tests.reporting.evaluations import DROPPED, drawn_videos


@pytest.fixture(scope="module")
def report():
    videos = drawn_videos(10)
    before = np.array([video.probability for video in videos])
    calibration = Calibration(
        "platt",
        ErrorLimit(1, 10, 0.05, 0.4),
        ErrorLimit(2, 20, 0.05, 0.3),
        manifests=("ab" * 32,),
        splits=("val",),
        checkpoint_sha256="cd" * 32,
    )
    after = Decision(
        threshold=0.7,
        uncertain_low=0.4,
        uncertain_high=0.7,
        temperature=0.5,
        bias=-0.1,
        calibration=calibration,
    )
    facts = {"path": "best.safetensors", "sha256": "ab12cd34" * 8}
    return CalibrationReport(
        provenance={"command": "calibrate", "checkpoint": facts, "manifests": [facts]},
        checkpoint=SimpleNamespace(decision=after),
        before=Decision(),
        videos=videos,
        probabilities_before=before,
        probabilities_after=np.clip(2 * before - 0.5, 0, 1),
        crossed=[Verdict.UNCERTAIN] * len(videos),
        dropped=[DROPPED],
        warnings=["watch out"],
    )


@pytest.fixture(scope="module")
def written(report):
    return files(report)


@pytest.mark.slow
def test_table_of_videos_and_json_count_the_same_verdicts(written):
    lines = list(csv.DictReader(io.StringIO(written["videos.csv"].decode())))
    document = json.loads(written["report.json"])
    for label, kind in (("0", "genuine"), ("1", "manipulated")):
        own = [line["verdict"] for line in lines if line["label"] == label]
        assert {name: own.count(name) for name in ("real", "fake", "uncertain")} == document["verdicts"][kind]
    assert len(lines) == 30
    assert all((float(line["probability"]) >= 0.7) == (line["verdict"] == "fake") for line in lines)


def test_both_sides_have_their_decision_quality_and_bins(written):
    document = json.loads(written["report.json"])
    assert (document["before"]["decision"]["temperature"], document["after"]["decision"]["temperature"]) == (
        1,
        0.5,
    )
    for side in ("before", "after"):
        assert sum(part["num_real"] + part["num_fake"] for part in document[side]["bins"]) == 30
        assert 0 < document[side]["quality"]["brier"] < 1
    assert document["dropped"][0]["reason"] == "no_face"


def test_page_owns_up_to_few_videos_and_warnings(report, written):
    page = written["table.md"].decode()
    assert "- 10 genuine videos are too few to show 5 %" in page
    assert "- warning: watch out" in page
    assert all(f"- {note}" in page for note in notes(report))
    assert written["reliability.png"].startswith(b"\x89PNG")
