import numpy as np
import pytest
from facenet_pytorch import MTCNN

from deepfake_ssat.faces.mtcnn import FaceDetector
from tests.portraits import background, portrait_frames


@pytest.fixture(scope="module")
def detector():
    return FaceDetector(min_face_size=40)


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.clip(high - low, 0, None).prod()
    return common / (np.prod(np.subtract(a[2:], a[:2])) + np.prod(np.subtract(b[2:], b[:2])) - common)


@pytest.mark.slow
@pytest.mark.parametrize("face_side", [60, 90, 150])
def test_faces_are_where_facenet_finds_them(detector, face_side):
    frames = portrait_frames(2, (360, 480), face_side=face_side)
    reference = MTCNN(keep_all=True, min_face_size=40)
    for frame, faces in zip(frames, detector.detect(frames), strict=True):
        boxes, confidences, landmarks = reference.detect(frame, landmarks=True)
        assert len(faces) == len(boxes) == 1
        assert overlap(np.array(faces[0].box), np.array(boxes[0], float)) > 0.8
        assert faces[0].confidence == pytest.approx(confidences[0], abs=0.02)
        np.testing.assert_allclose(faces[0].landmarks, np.array(landmarks[0], float), atol=0.06 * face_side)


def test_batch_may_mix_frames_with_two_faces_one_and_none(detector):
    two = portrait_frames(1, centers=lambda _: [(80, 120), (240, 120)])[0]
    one = portrait_frames(1)[0]
    none = background(240, 320)
    assert [len(faces) for faces in detector.detect([two, none, one])] == [2, 0, 1]


def test_frames_too_small_for_a_face_have_none(detector):
    assert detector.detect([np.zeros((16, 200, 3), np.uint8)] * 2) == [[], []]
    assert detector.detect([]) == []


def test_faces_below_the_smallest_size_are_not_searched():
    frame = portrait_frames(1, face_side=60)[0]
    assert FaceDetector(min_face_size=160).detect([frame]) == [[]]


@pytest.mark.parametrize(("dx", "dy"), [(-1, 0), (1, 0), (0, 1)])
def test_box_of_a_face_that_leaves_the_picture_stays_on_it(detector, dx, dy):
    whole = portrait_frames(1, (400, 400), face_side=120)[0]
    box = np.array(detector.detect([whole])[0][0].box)
    cut, moved = whole, np.zeros(4)
    out = 0.25 * (box[2] - box[0])
    if dx < 0:
        start = round(box[0] + out)
        cut, moved = whole[:, start:], np.array([start, 0, start, 0])
    elif dx > 0:
        cut = whole[:, : round(box[2] - out)]
    if dy:
        cut = whole[: round(box[3] - out)]
    (face,) = detector.detect([np.ascontiguousarray(cut)])[0]
    assert overlap(np.array(face.box) + moved, box) > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.9, 1.2, 1.35])
def test_face_that_fills_the_picture_is_found_as_by_facenet(part):
    """Of a picture as wide as the face's ``part``; in such a one the pyramid ends above P-net's cell."""
    height, width = 640, 467
    frame = portrait_frames(
        1, (height, width), lambda _: [(width // 2, height // 2)], face_side=round(part * width)
    )[0]
    (face,) = FaceDetector(min_face_size=20).detect([frame])[0]
    boxes = MTCNN(keep_all=True).detect(frame)[0]
    assert overlap(np.array(face.box), np.array(boxes[0], float)) > 0.5
