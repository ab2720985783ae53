"""The chart of scores over time: a legend for whoever can be told apart, the page's own colours."""

import re

import pytest

from deepfake_ssat.records import ClipScore
from deepfake_ssat.reporting.score_timeline import NAMED_FACES, face_look, timeline_svg


def drawn(num_faces):
    clips = [ClipScore(track, 0.0, 0.5, track / (num_faces + 1)) for track in range(num_faces)]
    return timeline_svg(clips, range(num_faces), duration=1.0, uncertain_low=0.4, uncertain_high=0.6)


def test_no_two_named_faces_look_alike():
    assert len({face_look(number) for number in range(NAMED_FACES)}) == NAMED_FACES


@pytest.mark.slow
def test_legend_names_the_first_faces_and_counts_the_others():
    labels = re.findall(r"<!-- (face \d+|\d+ others) -->", drawn(NAMED_FACES + 3))
    assert labels == [*(f"face {track}" for track in range(NAMED_FACES)), "3 others"]


@pytest.mark.slow
def test_chart_takes_the_pages_ink():
    svg = drawn(2)
    assert "currentColor" in svg
    assert "#000000" not in svg
    assert "#ffffff" not in svg.lower()
