import numpy as np

from deepfake_ssat.faces.tracks import Tracker
from deepfake_ssat.records import FaceDetection


def face(x, y=50.0, side=20.0):
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return FaceDetection(box, np.zeros((5, 2), np.float32), 0.99)


def looks(number):
    """Unit vectors that share nothing."""
    return np.eye(4, dtype=np.float32)[number]


def follow(tracker, frame, faces, patience=100):
    return tracker.update(frame, [face(x) for x, _ in faces], [looks(n) for _, n in faces], patience)


def test_moving_face_keeps_its_number():
    tracker = Tracker()
    assert [follow(tracker, 8 * step, [(40 + 12 * step, 0)]) for step in range(4)] == [[0]] * 4


def test_crossing_faces_keep_their_numbers():
    tracker = Tracker()
    seen = [follow(tracker, 8 * step, [(20 + 10 * step, 0), (80 - 10 * step, 1)]) for step in range(7)]
    assert seen == [[0, 1]] * 7


def test_another_face_at_the_same_place_is_another_person():
    tracker = Tracker()
    follow(tracker, 0, [(50, 0)])
    assert follow(tracker, 8, [(50, 1)]) == [1]


def test_face_that_comes_back_soon_is_the_same_and_later_another():
    tracker = Tracker()
    follow(tracker, 0, [(50, 0)])
    follow(tracker, 8, [])
    assert follow(tracker, 16, [(52, 0)]) == [0]
    assert follow(tracker, 200, [(52, 0)]) == [1]
    assert follow(tracker, 900, [(52, 0)], patience=None) == [1]


def test_tracks_keep_what_was_seen_of_them():
    tracker = Tracker()
    tracker.update(0, [face(50, side=40.0), face(150, side=10.0)], [looks(0), looks(1)], None)
    tracker.update(8, [face(150, side=10.0)], [looks(1)], None)
    person, small = tracker.records[0], tracker.records[1]
    assert (person.num_detections, person.relative_sizes) == (1, 1.0)
    assert (small.num_detections, small.relative_sizes) == (2, 0.25 + 1.0)
    assert small.confidences == 2 * 0.99


def test_nobody_is_recognised_after_a_cut():
    tracker = Tracker()
    follow(tracker, 0, [(50, 0)])
    tracker.forget()
    assert follow(tracker, 8, [(50, 0)]) == [1]
