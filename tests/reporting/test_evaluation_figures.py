"""The pictures are drawn where the data allows them, and are pictures."""

import cv2
import numpy as np
import pytest

from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.reporting.evaluation_report import files
from tests.reporting.evaluations import drawn_videos, make_report, scored_video


def drawn_pictures(report):
    return {name: data for name, data in files(report).items() if name.endswith(".png") and data}


@pytest.mark.slow
def test_three_pictures_of_a_usual_report():
    drawn = drawn_pictures(make_report(drawn_videos(20, compressions=("c23", "c40"))))
    assert set(drawn) == {"roc.png", "scores.png", "reliability.png"}
    for data in drawn.values():
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert min(picture.shape[:2]) > 400
        assert picture.std() > 10


@pytest.mark.slow
def test_one_class_has_no_roc():
    drawn = drawn_pictures(make_report([scored_video(f"r{n}", REAL, [0.3]) for n in range(3)]))
    assert set(drawn) == {"scores.png", "reliability.png"}


@pytest.mark.slow
def test_certain_scores_and_missing_threshold_are_drawn():
    videos = [scored_video("a", REAL, [0.0]), scored_video("b", FAKE, [1.0])]
    assert len(drawn_pictures(make_report(videos, threshold=None))) == 3


def test_nothing_labelled_draws_nothing():
    assert drawn_pictures(make_report([scored_video("u", None, [0.3])])) == {}
