"""Which tracks count: measured on real recordings, told here with numbers of their kind."""

import pytest

from deepfake_ssat.faces.choice import TrackRecord, overlap, tracks_that_count

PERSON = (50, 0.999, 1.0)
"""Detections, mean confidence, mean size in sizes of the largest face beside it."""


def counting(*tracks):
    records = []
    for number, (detections, confidence, size) in enumerate(tracks):
        records.append(TrackRecord(number))
        for _ in range(detections):
            records[-1].add(confidence, size)
    return tracks_that_count(records)


@pytest.mark.parametrize(
    "track",
    [
        (4, 0.93, 0.27),  # a hand
        (4, 0.93, 0.98),  # folded hands, as large as the face
        (14, 0.92, 0.34),  # a pattern in the background
        (6, 0.998, 0.07),  # a photograph on an identity card
        (7, 0.95, 0.30),  # half a bystander
    ],
)
def test_what_is_no_face_of_the_video_does_not_count(track):
    assert counting(PERSON, track) == {0}


@pytest.mark.parametrize(
    "track",
    [
        (7, 0.999, 1.0),  # the same person after a cut
        (50, 0.992, 0.31),  # a bystander, sharp and there all the time
        (12, 0.96, 1.0),  # a profile in a shot of its own
        (30, 0.998, 0.6),  # the second person of an interview
    ],
)
def test_one_doubt_is_not_enough(track):
    assert counting(PERSON, track) == {0, 1}


def test_where_all_are_doubtful_all_count():
    assert counting((20, 0.91, 1.0), (3, 0.92, 0.2)) == {0, 1}
    assert counting() == set()


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (20, 20, 30, 30)) == 0.0
