import numpy as np

from deepfake_ssat.faces.shots import find_cuts, thumbnail
from tests.portraits import background, portrait_frames


def thumbnails(frames):
    return [thumbnail(frame) for frame in frames]


def test_cut_is_found_at_the_first_frame_of_the_new_shot():
    before = portrait_frames(5)
    after = [255 - background(240, 320, seed=3)] * 4
    assert find_cuts(thumbnails([*before, *after])) == [5]


def test_moving_face_is_no_cut():
    frames = portrait_frames(8, centers=lambda index: [(60 + 25 * index, 120)], face_side=110)
    assert find_cuts(thumbnails(frames)) == []


def test_steady_strong_motion_is_no_cut():
    picture = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    frames = [np.roll(picture, 40 * index, axis=1) for index in range(8)]
    assert find_cuts(thumbnails(frames)) == []
