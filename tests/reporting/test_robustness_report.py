"""A robustness report: measured as an evaluation is, with n and intervals beside each figure."""

import csv
import io
import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_ssat.evaluation.robustness import RobustnessReport, measure_perturbed
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Status
from deepfake_ssat.reporting.robustness_report import files
from deepfake_ssat.video.perturbation import LEVELS, Perturbation
from tests.reporting.evaluations import scored_video

LOST = DroppedVideo("tiny", "c23/x", "x.mp4", "test", FAKE, "Deepfakes", Status.NO_FACE, "no face was found")


def _videos(noise, per_class=8):
    generator = np.random.default_rng(3)
    return [
        scored_video(
            f"{label}/{number}",
            label,
            [float(np.clip(0.35 + 0.3 * label + noise * generator.standard_normal(), 0, 1))] * 2,
        )
        for label in (REAL, FAKE)
        for number in range(per_class)
    ]


@pytest.fixture(scope="module")
def report():
    results = [measure_perturbed(None, _videos(0.1), (), 0.5, 0)]
    for kind in ("blur", "h264"):
        for level in LEVELS:
            dropped = (LOST,) if (kind, level) == ("blur", 5) else ()
            results.append(
                measure_perturbed(Perturbation(kind, level), _videos(0.1 + 0.1 * level), dropped, 0.5, 0)
            )
    provenance = {
        "command": "deepfake-ssat evaluate",
        "checkpoint": {"sha256": "a" * 64},
        "manifest": {"sha256": "b" * 64},
    }
    return RobustnessReport("videos", provenance, 0, 0.5, "a test", tuple(results), ("a doubt",))


@pytest.fixture(scope="module")
def written(report):
    return files(report)


def test_figures_are_those_of_the_videos(report):
    videos = _videos(0.6)
    expected = roc_auc_score([video.label for video in videos], [video.probability for video in videos])
    result = report.find("blur", 5)
    assert result.metrics["auc"].value == pytest.approx(expected)
    assert result.metrics["auc"].low < expected < result.metrics["auc"].high
    assert (result.num_real, result.num_fake, result.num_clips, result.value) == (8, 8, 32, 21)


def test_level_0_is_shared_by_all_kinds(report):
    assert report.kinds == ["blur", "h264"]
    assert report.find("blur", 0) is report.find("h264", 0)


def test_csv_has_a_line_for_each_kind_and_level(written):
    lines = list(csv.DictReader(io.StringIO(written["perturbed_videos.csv"].decode())))
    assert [(line["perturbation"], line["level"], line["value"]) for line in lines[:3]] == [
        ("none", "0", ""),
        ("blur", "1", "7"),
        ("blur", "2", "9"),
    ]
    assert len(lines) == 11
    assert [line["dropped"] for line in lines[4:7]] == ["0", "1", "0"]
    assert all(float(line["auc_low"]) <= float(line["auc"]) <= float(line["auc_high"]) for line in lines)


def test_markdown_shows_auc_by_level_then_every_row_with_n(report, written):
    text = written["perturbed_videos.md"].decode()
    auc = f"{100 * report.find('h264', 3).metrics['auc'].value:.1f}"
    glance = next(line for line in text.splitlines() if line.startswith("| h264 (H.264) | "))
    assert glance.split(" | ")[4] == auc
    assert "| blur (Gaussian blur) | 5 | kernel side 21 | 8 | 8 | 1 |" in text
    assert "1 lost their faces at some level" in text
    assert "warning: a doubt" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {8, 9}


def test_json_says_why_videos_are_missing(written):
    document = json.loads(written["perturbed_videos.json"])
    result = next(r for r in document["results"] if (r["kind"], r["level"]) == ("blur", 5))
    assert result["dropped"][0]["reason"] == "no_face"
    assert document["kinds"]["h264"]["parameter"] == "CRF"
    assert document["perturbed"] == {"on": "videos", "seed": 0}


@pytest.mark.slow
def test_without_a_threshold_the_accuracy_is_that_at_half(report):
    bare = RobustnessReport(
        "clips",
        report.provenance,
        0,
        None,
        "none",
        tuple(measure_perturbed(None, _videos(0.1), (), None, 0) for _ in "a"),
        (),
    )
    assert bare.shown_metrics == ("auc", "accuracy_at_half")
    assert "acc@0.5" in files(bare)["perturbed_clips.md"].decode()


@pytest.mark.slow
def test_one_class_has_no_auc_and_says_so(report):
    fakes = [video for video in _videos(0.1) if video.label == FAKE]
    results = [measure_perturbed(None, fakes, (), 0.5, 0)]
    results += [
        measure_perturbed(Perturbation("noise", level), fakes if level < 5 else [], (), 0.5, 0)
        for level in LEVELS
    ]
    lonely = RobustnessReport("clips", report.provenance, 0, 0.5, "a test", tuple(results), ())
    written = files(lonely)
    text = written["perturbed_clips.md"].decode()
    assert "| noise (Gaussian noise) | – | – | – | – | – | – |" in text
    assert "needs real and fake videos, has 0 real and 8 fake" in text
    assert written["perturbed_clips.png"].startswith(b"\x89PNG")


def test_figure_is_a_picture(written):
    assert written["perturbed_videos.png"].startswith(b"\x89PNG")
