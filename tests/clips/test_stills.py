"""Still pictures as clips."""

import cv2
import numpy as np
import pytest

from deepfake_ssat.clips.stills import NOISE_LEVELS, draw_camera, smooth_walks, still_clip

POINTS = np.array([[20.0, 22.0], [44.0, 24.0], [32.0, 34.0], [24.0, 46.0], [42.0, 44.0]])


def _picture(size=64):
    """Grey, with a soft white dot at each landmark."""
    rows, columns = np.mgrid[:size, :size]
    dots = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4) for x, y in POINTS)
    return np.repeat((60 + 150 * np.clip(dots, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)


def _clip(seed=0, frames=16):
    return still_clip(_picture(), POINTS, frames, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_follow_the_picture(seed):
    clip, moved = _clip(seed)
    assert (clip.shape, clip.dtype, moved.shape) == ((16, 64, 64, 3), np.uint8, (16, 5, 2))
    for frame, points in zip(clip, moved, strict=True):
        smooth = cv2.GaussianBlur(frame[..., 1].astype(np.float32), (0, 0), 1.0)
        for x, y in points:
            left, top = round(x) - 4, round(y) - 4
            part = smooth[top : top + 9, left : left + 9] - 70
            weights = np.clip(part, 0, None) ** 2
            found_y, found_x = (np.indices(part.shape) * weights).sum(axis=(1, 2)) / weights.sum()
            assert (found_x + left, found_y + top) == pytest.approx((x, y), abs=0.5)


def test_camera_moves_smoothly_and_never_jumps():
    moves = []
    for seed in range(40):
        matrices = draw_camera((64, 64), 16, np.random.default_rng(seed)).matrices
        centers = matrices[:, :, :2] @ [31.5, 31.5] + matrices[:, :, 2]
        moves.append(np.linalg.norm(np.diff(centers, axis=0), axis=1))
        assert moves[-1].max() < 0.03 * 64
    assert 0.05 < np.mean(moves) < 0.64


def test_noise_is_new_in_every_frame_and_within_its_levels():
    picture = np.full((64, 64, 3), 128, np.uint8)
    spread = []
    for seed in range(20):
        clip, _ = still_clip(picture, POINTS, 4, np.random.default_rng(seed))
        values = clip.astype(float) - clip.mean(axis=(1, 2), keepdims=True)
        spread.append(values.std())
        correlation = np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1]
        assert abs(correlation) < 0.1
    assert NOISE_LEVELS[0] * 0.8 < min(spread)
    assert max(spread) < NOISE_LEVELS[1] * 1.2


def test_light_drifts_but_keeps_its_mean_over_draws():
    picture = np.full((32, 32, 3), 128, np.uint8)
    levels = np.array(
        [
            still_clip(picture, POINTS / 2, 16, np.random.default_rng(seed))[0].mean(axis=(1, 2, 3))
            for seed in range(60)
        ]
    )
    assert levels.mean() == pytest.approx(128, abs=2)
    assert np.ptp(levels, axis=1).mean() > 1
    assert np.abs(np.diff(levels, axis=1)).max() < 4


def test_walks_are_smooth_with_unit_spread():
    walks = smooth_walks(2000, 16, np.random.default_rng(0))
    assert walks.shape == (2000, 16)
    assert walks.std() == pytest.approx(1, abs=0.05)
    assert np.diff(walks, axis=1).std() < 0.2


def test_same_draw_gives_the_same_clip():
    assert np.array_equal(_clip(3)[0], _clip(3)[0])
    assert not np.array_equal(_clip(3)[0], _clip(4)[0])
    assert _clip(frames=1)[0].shape == (1, 64, 64, 3)
