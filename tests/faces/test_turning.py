"""Which way up: only where most pictures without a face agree."""

import numpy as np
import pytest

from deepfake_ssat.faces.turning import MOST_PICTURES, TurnFinder
from deepfake_ssat.records import FaceDetection

FACE = FaceDetection((0.0, 0.0, 1.0, 1.0), np.zeros((5, 2)), 0.95)


def stored(degrees, brightness=255):
    """A picture whose bright corner is at its top left once it is turned clockwise by so much."""
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0, 0] = brightness
    return np.rot90(upright, degrees // 90)


def corner_is_face(picture):
    return [FACE] if picture[0, 0].all() and picture.shape[1] > picture.shape[0] else []


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turn_that_shows_faces_is_found(degrees):
    finder = TurnFinder(corner_is_face)
    for _ in range(5):
        finder.note(stored(degrees))
    assert finder.find() == degrees


def test_pictures_without_a_face_in_any_turn_stay():
    finder = TurnFinder(lambda _: [])
    for _ in range(5):
        finder.note(stored(0))
    assert finder.find() == 0


@pytest.mark.parametrize("with_face", [1, 2])
def test_few_faces_turn_nothing(with_face):
    finder = TurnFinder(corner_is_face)
    for number in range(6):
        finder.note(stored(180, 255 if number < with_face else 0))
    assert finder.find() == 0


def test_single_picture_turns_nothing():
    finder = TurnFinder(corner_is_face)
    finder.note(stored(180))
    assert finder.find() == 0


def test_few_pictures_are_kept_of_a_long_video():
    finder = TurnFinder(corner_is_face)
    for number in range(1000):
        finder.note(np.full((2, 3, 3), number % 256, np.uint8))
    assert MOST_PICTURES / 2 - 1 <= len(finder._pictures) <= MOST_PICTURES
