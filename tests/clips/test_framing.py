"""Random framing against a warp worked out by hand."""

import cv2
import numpy as np
import pytest

from deepfake_ssat.clips.framing import RandomFraming
from deepfake_ssat.config import Framing
from tests.clips.pictures import colourful_frame, moving_clip, static_clip


def plain(**changes):
    return Framing.model_validate({"stretch": 1.0, "turn_degrees": 0.0} | changes)


def gradient(size):
    """(1, size, size, 3) uint8: a pixel tells its column, its row and nothing."""
    rows, columns = np.mgrid[0:size, 0:size]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1)[None].astype(np.uint8)


def test_whole_crop_is_the_crop():
    clip = moving_clip(2, 64)
    framed = RandomFraming(plain(part=(1.0, 1.0)), 64)(clip, np.random.default_rng(0))
    assert (framed == clip).all()


def test_part_lies_within_the_crop_and_keeps_its_scale():
    for seed in range(50):
        framed = RandomFraming(plain(part=(0.5, 0.5)), 50)(gradient(100), np.random.default_rng(seed))
        columns, rows = framed[0, 0, :, 0].astype(int), framed[0, :, 0, 1].astype(int)
        for places in (columns, rows):
            assert 0 <= places[0] <= 50
            assert set(np.diff(places)) == {1}


def test_every_place_of_the_part_is_reached():
    starts = [
        RandomFraming(plain(part=(0.5, 0.5)), 50)(gradient(100), np.random.default_rng(seed))[0, 0, 0, :2]
        for seed in range(200)
    ]
    assert (np.min(starts, axis=0) <= 3).all()
    assert (np.max(starts, axis=0) >= 47).all()


@pytest.mark.slow
def test_stretch_enlarges_one_axis():
    """How far the corners lie apart, over many draws: in 60 % one of the axes is shorter."""
    ratios = []
    for seed in range(300):
        framed = RandomFraming(plain(part=(1.0, 1.0), stretch=0.5), 200)(
            gradient(200), np.random.default_rng(seed)
        )
        width, height = np.ptp(framed[0, 0, :, 0].astype(int)), np.ptp(framed[0, :, 0, 1].astype(int))
        assert max(width, height) == 199
        ratios.append(width / height)
    changed = [ratio for ratio in ratios if abs(ratio - 1) > 0.005]
    assert len(changed) / 300 == pytest.approx(0.6, abs=0.09)
    assert 0.49 < min(ratios) < 0.6
    assert 1.7 < max(ratios) < 2.05


def test_turn_is_about_the_middle():
    clip = np.zeros((1, 101, 101, 3), np.uint8)
    clip[:, 50, 50] = 255
    clip[:, 50, 90] = 255
    angles = []
    for seed in range(200):
        framed = RandomFraming(plain(part=(1.0, 1.0), turn_degrees=20.0), 101)(
            clip, np.random.default_rng(seed)
        )[0, ..., 0]
        assert framed[50, 50] == 255
        framed[46:55, 46:55] = 0
        row, column = np.unravel_index(framed.argmax(), framed.shape)
        angles.append(np.rad2deg(np.arctan2(row - 50, column - 50)))
    turned = [angle for angle in angles if abs(angle) > 0.5]
    assert len(turned) / 200 == pytest.approx(0.3, abs=0.1)
    assert np.std(turned) == pytest.approx(20, rel=0.3)


def test_large_crops_are_shrunk_by_areas():
    noise = np.random.default_rng(0).integers(0, 255, (1, 256, 256, 3)).astype(np.uint8)
    framed = RandomFraming(plain(part=(1.0, 1.0)), 64)(noise, np.random.default_rng(0))
    assert (framed == cv2.resize(noise[0], (64, 64), interpolation=cv2.INTER_AREA)).all()


def test_all_frames_are_framed_alike_and_grey_stays_grey():
    framing = RandomFraming(Framing(), 48)
    for seed in range(10):
        framed = framing(static_clip(), np.random.default_rng(seed))
        assert (framed == framed[:1]).all()
        grey = framing(np.ascontiguousarray(static_clip()[..., :1]), np.random.default_rng(seed))
        assert grey.shape == (4, 48, 48, 1)
        assert (grey[..., 0] == framed[..., 0]).all()


def test_part_must_ascend():
    with pytest.raises(ValueError, match="must be"):
        Framing(part=(1.0, 0.9))


def test_picture_beyond_the_border_is_mirrored():
    picture = colourful_frame(64)[None] // 2 + 100
    for seed in range(30):
        framed = RandomFraming(plain(part=(1.0, 1.0), turn_degrees=30.0), 64)(
            picture, np.random.default_rng(seed)
        )
        assert framed.min() >= 100
